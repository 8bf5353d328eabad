// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of a configuration file

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../src/cli/cli.ts';
import { CertificateAuthority } from '../../support/certificates.ts';
import { type CommandResult, sluice } from '../../support/command-line.ts';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function configFile(text: string): string {
  const file = join(directory, 'sluice.yaml');
  writeFileSync(file, text);
  return file;
}

/** The same without a process of its own. */
async function inProcess(...args: string[]): Promise<CommandResult> {
  const result = { out: '', err: '' };
  const code = await runCli(args, {
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

describe('the command line', () => {
  it.each([['--help'], ['-h'], ['help']])('shows all commands with %s', async (option) => {
    const { code, out, err } = await inProcess(option);
    expect([code, err]).toEqual([0, '']);
    for (const command of ['run', 'check', 'status', 'device', 'version'])
      expect(out).toMatch(new RegExp(`^  ${command} `, 'm'));
  });

  it.each(['run', 'check', 'status', 'device', 'version'])(
    'explains %s with --help, and does nothing',
    async (command) => {
      const { code, out, err } = await inProcess(command, '--help');
      expect([code, err]).toEqual([0, '']);
      expect(out).toMatch(new RegExp(`^Usage: sluice ${command}`));
    },
  );

  it.each([
    [[], 'a command is missing; see sluice --help'],
    [['chek'], 'unknown command chek, probably check; see sluice --help'],
    [['\u001b[31m'], 'unknown command \\u{1b}[31m; see sluice --help'],
    [['check', '--confg', 'x'], 'unknown option --confg, probably --config; see sluice check --help'],
    [['check', '--zzz'], 'unknown option --zzz; see sluice check --help'],
    [['check', '--config'], "Option '--config <value>' argument missing; see sluice check --help"],
    [['check', 'file'], 'unexpected argument file; see sluice check --help'],
    [['device'], 'device needs to know what to do: add, list, remove or import; see sluice device --help'],
    [['device', 'lst'], 'unknown command device lst, probably device list; see sluice device --help'],
    [['device', 'toString'], 'unknown command device toString; see sluice device --help'],
    [['device', 'add'], 'device add needs the ID of a device; see sluice device --help'],
    [['device', 'remove'], 'device remove needs the ID of a device; see sluice device --help'],
    [['device', 'list', 'x'], 'unexpected argument x; see sluice device --help'],
    [['device', 'remove', 'x', '--secret', 'y'], '--secret belongs to device add; see sluice device --help'],
  ])('answers wrong usage %j with 2 and one clear line', async (args, message) => {
    expect(await inProcess(...args)).toEqual({ code: 2, out: '', err: `sluice: ${message}\n` });
  });

  it('prints its version, for people and for programs', async () => {
    expect((await inProcess('version')).out).toMatch(/^sluice \d+\.\d+\.\d+ \(Node\.js v24\./);
    expect((await inProcess('--version')).out).toMatch(/^sluice \d/);
    expect(JSON.parse((await inProcess('version', '--json')).out)).toMatchObject({ node: process.version });
  });
});

describe('sluice check', () => {
  it('says that a good file is good', () => {
    const file = configFile('gateway: { dataDir: data }\nuplinks: [ { brokers: [ "${BROKER}" ] } ]\n');
    expect(sluice(['check', '--config', file], { BROKER: 'kafka:9092' })).toEqual({
      code: 0,
      out: `${file} is good: MQTT 127.0.0.1:1883; API 127.0.0.1:8080; uplinks kafka (kafka); data in ${directory}/data\n`,
      err: '',
    });
  });

  it('prints every problem on standard error and ends with 78', () => {
    const file = configFile('gatway: {}\nbuffer: { maxBytes: 2GB }\n');
    expect(sluice(['check', '--config', file])).toEqual({
      code: 78,
      out: '',
      err: `${file}:1:1: gatway: unknown option, probably gateway\n${file}:2:21: buffer.maxBytes: must be a size such as 512B, 64KiB, 8MiB or 2GiB, found 2GB\n`,
    });
  });

  it('warns of a listener that lets everybody in', async () => {
    const file = configFile('mqtt: { listeners: [ { host: "::", anonymous: true } ] }');
    const { code, err } = await inProcess('check', '--config', file);
    expect([code, err]).toEqual([
      0,
      `warning: ${file}:1:47: mqtt.listeners[0].anonymous: everybody who reaches :: can publish and subscribe without a password\n`,
    ]);
  });

  it('reads the tokens of the API where they are needed, and says what is wrong with them', async () => {
    const listening = (host: string) =>
      configFile(
        `api: { tokensFile: sluice.yaml, listeners: [ { host: ${host}, tls: { certFile: a, keyFile: b } } ] }\n`,
      );
    const needed = await inProcess('check', '--config', listening('192.0.2.1'));
    expect(needed.err).toContain(`api.tokensFile: ${directory}/sluice.yaml line 1: must be name:scopes:hash`);
    expect((await inProcess('check', '--config', listening('127.0.0.1'))).err).not.toContain('tokensFile');
  });

  it('reads the certificates of listeners, and says what is wrong with them', async () => {
    const file = configFile(
      'gateway: { id: "Ö" }\nmqtt: { listeners: [ { tls: { certFile: none.pem, keyFile: sluice.yaml } } ] }\n',
    );
    expect((await inProcess('check', '--config', file)).err).toMatch(/^\S+:1:16: gateway\.id: .*\n$/);
    const mended = configFile('mqtt: { listeners: [ { tls: { certFile: none.pem, keyFile: sluice.yaml } } ] }\n');
    const { code, err } = await inProcess('check', '--config', mended);
    expect([code, err]).toEqual([
      78,
      `${mended}:1:41: mqtt.listeners[0].tls.certFile: ${directory}/none.pem does not exist\n` +
        `${mended}:1:60: mqtt.listeners[0].tls.keyFile: ${directory}/sluice.yaml holds no private key in PEM (-----BEGIN PRIVATE KEY-----)\n`,
    ]);
  });

  it('warns of a certificate that has expired', async () => {
    const authority = new CertificateAuthority();
    const { certFile, keyFile } = authority.issue({ name: 'server', expired: true });
    const file = configFile(`mqtt: { listeners: [ { tls: { certFile: ${certFile}, keyFile: ${keyFile} } } ] }\n`);
    const { code, err } = await inProcess('check', '--config', file);
    authority.remove();
    const place = `${file}:1:41: mqtt.listeners[0].tls.certFile`;
    expect([code, err]).toEqual([0, `warning: ${place}: the certificate has expired: clients will refuse it\n`]);
  });

  it('tells programs the same', async () => {
    const good = configFile('');
    expect(JSON.parse((await inProcess('check', '--json', '--config', good)).out)).toEqual({
      file: good,
      valid: true,
      problems: [],
      warnings: [],
    });
    const bad = configFile('log: { level: loud }');
    const { code, out } = await inProcess('check', '--json', '--config', bad);
    expect([code, JSON.parse(out)]).toEqual([
      78,
      {
        file: bad,
        valid: false,
        problems: [
          { line: 1, column: 15, path: 'log.level', message: 'must be debug or info or warn or error, found loud' },
        ],
        warnings: [],
      },
    ]);
  });

  it('looks for /etc/sluice/sluice.yaml when no file is named', async () => {
    const { err, out } = await inProcess('check');
    expect(err + out).toContain('/etc/sluice/sluice.yaml');
  });
});

describe('sluice run', () => {
  it('with a wrong configuration ends with 78 and leaves the data directory alone', () => {
    const file = configFile('gateway: { dataDir: never }\nx: 1');
    expect(sluice(['run', '--config', file])).toMatchObject({ code: 78, out: '' });
    expect(readdirSync(directory)).toEqual(['sluice.yaml']);
  });

  it.each([
    ['uplinks: []', 'nonsense', '--kafka needs host:port, such as 127.0.0.1:9092'],
    [
      'uplinks: [ { brokers: [ "a:1" ] } ]',
      'b:1',
      '--kafka cannot be given: the configuration has an uplink named kafka already',
    ],
  ])('with %s does not take --kafka %s', async (text, broker, message) => {
    const { code, err } = await inProcess('run', '--config', configFile(text), '--kafka', broker);
    expect([code, err]).toEqual([2, `sluice: ${message}; see sluice run --help\n`]);
  });
});

describe('sluice status', () => {
  it('says when no gateway runs, and ends with 1', async () => {
    const file = configFile('gateway: { dataDir: nothing }');
    expect(await inProcess('status', '--config', file)).toEqual({
      code: 1,
      out: '',
      err: `sluice: no gateway runs on ${directory}/nothing. Start it with sluice run, or name its configuration with --config FILE\n`,
    });
  });
});
