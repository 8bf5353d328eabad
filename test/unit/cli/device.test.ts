import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/cli.ts';
import { DataDirLock } from '../../../src/store/lock.ts';
import type { CommandResult } from '../../support/command-line.ts';

let directory: string;
let config: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-device-'));
  config = join(directory, 'sluice.yaml');
  writeFileSync(config, 'gateway: { dataDir: data }\nmqtt: { listeners: [ {}, { host: 192.0.2.7, port: 8883 } ] }\n');
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

const known = async (): Promise<unknown> => JSON.parse((await device('list', '--json')).out);

describe('sluice device, when no gateway runs', () => {
  it('knows no device at first', async () => {
    expect(await device('list')).toEqual({ code: 0, out: 'No device is known yet.\n', err: '' });
    expect(await known()).toEqual({ devices: [] });
  });

  it('adds one, shows its secret and a line that publishes where a login is asked for', async () => {
    const { code, out } = await device('add', 'kitchen');
    expect(code).toBe(0);
    const secret = /^ {2}([A-Za-z0-9_-]{43})$/m.exec(out)?.[1];
    expect(out).toBe(`\
Device kitchen can log in now. Its secret, which is shown this once:

  ${secret}

Try it:

  mosquitto_pub -h 192.0.2.7 -p 8883 -i kitchen -u kitchen -P ${secret} -q 1 -t devices/kitchen/telemetry -m '{"temperature":21.5}'
`);
    expect((await device('list')).out).toBe('device   login  online  last seen\nkitchen  yes    ?       never\n');
  });

  it('shows a line for a listener that the secret opens, with the authority to trust', async () => {
    const tls = 'certFile: a.pem, keyFile: b.pem';
    const closed = `{ port: 1, tls: { ${tls}, caFile: ca.pem, requireClientCertificate: true } }`;
    const others = `{ port: 2, websocket: true, anonymous: false }, { port: 3, anonymous: false, tls: { ${tls} } }`;
    writeFileSync(config, `gateway: { dataDir: data }\nmqtt: { listeners: [ {}, ${closed}, ${others} ] }\n`);
    expect((await device('add', 'kitchen')).out).toContain(
      'mosquitto_pub -h 127.0.0.1 -p 3 --cafile CA.pem -i kitchen',
    );
  });

  it('takes a secret that is given, and does not repeat it', async () => {
    const { out } = await device('add', 'a', '--secret', 'sixteen letters!');
    expect(out).toContain('-u a -P SECRET -q 1');
    expect(out).not.toContain('sixteen letters!');
    expect(JSON.parse((await device('add', 'b', '--secret', 'sixteen letters!', '--json')).out)).toEqual({ id: 'b' });
  });

  it('removes one', async () => {
    await device('add', 'kitchen');
    await device('add', 'cellar');
    expect(await device('remove', 'kitchen')).toEqual({ code: 0, out: 'Device kitchen is removed.\n', err: '' });
    expect(JSON.parse((await device('remove', 'cellar', '--json')).out)).toEqual({ id: 'cellar', removed: true });
    expect(await known()).toEqual({ devices: [] });
  });

  it.each([
    [['remove', 'nobody'], 'there is no device nobody. '],
    [['add', 'a/b'], 'this is no device id. '],
    [['add', 'a', '--secret', 'short'], 'the secret is shorter than 16 characters. '],
  ])('ends %j with 1 and says why', async (args, message) => {
    const { code, out, err } = await device(...args);
    expect([code, out]).toEqual([1, '']);
    expect(err).toContain(`sluice: ${message}`);
  });

  it('adds none twice', async () => {
    await device('add', 'kitchen');
    expect(await device('add', 'kitchen')).toMatchObject({
      code: 1,
      err: expect.stringContaining('has a secret already'),
    });
  });

  it('does not touch the files of a gateway that holds them without answering', async () => {
    const lock = new DataDirLock(join(directory, 'data'));
    try {
      const { code, err } = await device('list');
      expect([code, err]).toEqual([1, expect.stringContaining(`in use by the gateway with pid ${process.pid}`)]);
    } finally {
      lock.release();
    }
  });
});
