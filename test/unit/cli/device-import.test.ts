import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/cli.ts';
import type { CommandResult } from '../../support/command-line.ts';

let directory: string;
let config: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-import-'));
  config = join(directory, 'sluice.yaml');
  file = join(directory, 'passwd');
  writeFileSync(config, 'gateway: { dataDir: data }\n');
});
afterEach(() => rmSync(directory, { recursive: true }));

async function device(...args: string[]): Promise<CommandResult> {
  const result = { out: '', err: '' };
  const code = await runCli(['device', ...args, '--config', config], {
    out: (text) => {
      result.out += text;
    },
    err: (text) => {
      result.err += text;
    },
    env: {},
  });
  return { code, ...result };
}

/** A line of a real password file. */
function line(name: string, password: string, ...options: string[]): string {
  const made = join(directory, 'made');
  const { status, stdout } = spawnSync('mosquitto_passwd', [...options, '-c', '-b', made, name, password], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`mosquitto_passwd: ${stdout}`);
  return spawnSync('cat', [made], { encoding: 'utf8' }).stdout;
}

const logins = async (): Promise<unknown> => {
  const { devices } = JSON.parse((await device('list', '--json')).out) as {
    devices: { id: string; provisioned: boolean }[];
  };
  return devices.map(({ id, provisioned }) => [id, provisioned]);
};

describe('sluice device import', () => {
  it('takes over the users of a mosquitto password file', async () => {
    writeFileSync(file, `# users\n${line('meter', 'one')}${line('pump-2', 'two', '-H', 'sha512')}\n`);
    expect(await device('import', file)).toEqual({
      code: 0,
      err: '',
      out: '2 devices imported, with the passwords they have.\nWhat they may do beside devices/{id}/... stands in mqtt.grants.\n',
    });
    expect(await logins()).toEqual([
      ['meter', true],
      ['pump-2', true],
    ]);
  });

  it('says who is left out, where and why, and takes the others', async () => {
    const good = line('meter', 'one');
    const hash = good.slice('meter:'.length);
    writeFileSync(file, `${good}Küche Lampe:${hash}plain:secret\nnone:\nodd:$5$x$y\n${good}a\u001b:${hash}`);
    const { code, out } = await device('import', file);
    expect(code).toBe(1);
    expect(out.replaceAll(`${directory}/`, '')).toBe(`\
1 device imported, with the passwords they have.
What they may do beside devices/{id}/... stands in mqtt.grants.
6 left out:
  passwd:2: Küche Lampe is no device id (1 to 128 characters of A-Z a-z 0-9 . _ -): give the device another user name, such as Kueche_Lampe
  passwd:3: plain its password is not hashed: run mosquitto_passwd -U on a copy of the file first
  passwd:4: none has no password
  passwd:5: odd its hash is none that can be checked ($7$ with up to 1,000,000 rounds, $6$): give the device a new secret
  passwd:6: meter stands further up already
  passwd:7: a\\u{1b} is no device id (1 to 128 characters of A-Z a-z 0-9 . _ -): give the device another user name, such as a_
`);
  });

  it('leaves a device alone that has a secret', async () => {
    await device('add', 'meter');
    writeFileSync(file, line('meter', 'one'));
    for (const options of [[], ['--dry-run']]) {
      const { code, out } = await device('import', file, '--json', ...options);
      expect(code).toBe(1);
      expect(JSON.parse(out)).toMatchObject({
        imported: [],
        left_out: [{ line: 1, name: 'meter', reason: 'device_exists' }],
      });
    }
  });

  it('changes nothing in a rehearsal', async () => {
    writeFileSync(file, line('meter', 'one'));
    expect(await device('import', file, '--dry-run')).toMatchObject({
      code: 0,
      out: expect.stringContaining('1 device would be imported'),
    });
    expect(await logins()).toEqual([]);
  });

  it('may be run again', async () => {
    writeFileSync(file, line('meter', 'one'));
    await device('import', file);
    expect(await device('import', file)).toMatchObject({ code: 1, out: expect.stringContaining('0 devices imported') });
    expect(await logins()).toEqual([['meter', true]]);
  });

  it('needs a file that can be read', async () => {
    expect(await device('import')).toMatchObject({ code: 2, err: expect.stringContaining('needs a FILE') });
    expect(await device('import', join(directory, 'none'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('cannot be read'),
    });
    expect(await device('add', 'x', '--dry-run')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--dry-run belongs to'),
    });
  });
});
