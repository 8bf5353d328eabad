/** Commands that clients publish over MQTT, to what is on serial lines: clients of mosquitto, ptys, and pymodbus. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sluice } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { CommandJson } from '../support/give-command.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { pythonWith } from '../support/python-install.ts';
import { startCommand } from '../support/run-command.ts';
import { SerialDevice } from '../support/serial-device.ts';
import { serialPortsOpen } from '../support/serial-ports-open.ts';
import { waitFor } from '../support/wait-for.ts';

const PAGE = readFileSync(resolve(import.meta.dirname, '../../docs/commands.md'), 'utf8');
const SERVER = join(import.meta.dirname, '../support/modbus-server.py');
const SOON = { timeoutMs: 15_000 };
const DIM = 'devices/lamp/commands/dim';
const LAMP = {
  readyAfter: '0ms',
  commands: [
    {
      name: 'dim',
      write: 'DIM {request_id} {params.level}',
      response: { pattern: '^OK (?<request_id>\\S+) (?<level>\\d+)$', error: '^ERR (?<request_id>\\S+) (?<error>.*)$' },
    },
    { name: 'restart', write: 'RESTART' },
  ],
};

interface Request {
  readonly request_id: string;
  readonly [member: string]: unknown;
}

let gateway: GatewayProcess;
let securePort: number;
let line: PtyPair;
let lamp: SerialDevice;
let bus: PtyPair;
let server: ChildProcess;
/** What the lamp was told. */
let heard: string[];

beforeAll(async () => {
  gateway = await GatewayProcess.create();
  securePort = await freePort();
  line = new PtyPair();
  bus = new PtyPair();
  await Promise.all([line.plug(), bus.plug()]);
  server = spawn(pythonWith('pymodbus'), [SERVER, bus.devicePath, '1'], { stdio: ['ignore', 'pipe', 'ignore'] });
  if (server.stdout !== null) await once(server.stdout, 'data');
  const setpoint = { name: 'setpoint', type: 'holding', address: 102, value: 'int16', scale: 0.1, writable: true };
  gateway.configure({
    mqtt: {
      listeners: [
        { host: '127.0.0.1', port: gateway.mqttPort },
        { host: '127.0.0.1', port: securePort, anonymous: false },
      ],
      grants: [{ device: 'node-red', publish: ['devices/lamp/commands/+'], subscribe: ['devices/lamp/responses/+'] }],
    },
    serial: [
      { name: 'lamp', path: line.path, ...LAMP },
      { name: 'boiler', path: bus.path, baudRate: 9600, modbus: { units: [{ unitId: 1, registers: [setpoint] }] } },
    ],
  });
  lamp = new SerialDevice(line.devicePath);
  lamp.answerTo = (text) => {
    heard.push(text);
    const [what, id, level] = text.split(' ');
    if (what !== 'DIM') return undefined;
    return Number(level) > 100 ? `ERR ${id} too bright\n` : `OK ${id} ${level}\n`;
  };
  await start();
}, 60_000);

afterAll(async () => {
  await gateway.dispose();
  await lamp.close();
  server.kill('SIGKILL');
  await Promise.all([line.dispose(), bus.dispose()]);
});

/** Resolves when the lamp is there. */
async function start(): Promise<void> {
  heard = [];
  await gateway.start();
  await serialPortsOpen(gateway, SOON.timeoutMs);
  await lamp.close();
  await lamp.open();
}

function mosquitto(program: 'mosquitto_pub' | 'mosquitto_sub' | 'mosquitto_rr', ...args: readonly string[]) {
  const where = args.includes('-p') ? [] : ['-p', `${gateway.mqttPort}`];
  return startCommand(program, [...where, '-q', '1', ...args], { debianPackage: 'mosquitto-clients' });
}

/** Publishes a command to the lamp, or another device, and resolves with its answer. */
async function ask(request: Request, topic = DIM): Promise<unknown> {
  const answers = topic.replace(/commands\/.*/, `responses/${request.request_id}`);
  const message = ['-t', topic, '-e', answers, '-m', JSON.stringify({ timeout_ms: 15_000, ...request })];
  const { stdout } = await mosquitto('mosquitto_rr', '-V', 'mqttv311', '-W', '18', ...message).ended;
  return JSON.parse(stdout);
}

function willCount(): number {
  const db = new Database(join(gateway.dataDir, 'state.db'), { readonly: true, fileMustExist: true });
  try {
    return db.prepare<[], number>('SELECT count(*) FROM wills').pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

const command = async (requestId: string) => (await gateway.get(`/v1/commands/${requestId}`)) as CommandJson;
const metrics = async () => (await fetch(`http://127.0.0.1:${gateway.apiPort}/metrics`)).text();

describe('a command that a client publishes', { timeout: 60_000 }, () => {
  it('is shown by the page, and works so', async () => {
    mkdirSync(join(gateway.directory, 'clients'));
    writeFileSync(join(gateway.directory, 'clients', 'mosquitto_rr'), `-p ${gateway.mqttPort}\n`);
    const [, section = ''] = PAGE.split('\n## Published over MQTT\n');
    const [, script = '', shown = ''] = /```sh\n([\s\S]*?)```\n\n```json\n([\s\S]*?)```/.exec(section) ?? [];
    const where = `XDG_CONFIG_HOME=${join(gateway.directory, 'clients')}`;
    const { code, stdout } = await startCommand('env', [where, 'sh', '-ec', script]).ended;
    expect([code, JSON.parse(stdout)]).toEqual([0, JSON.parse(shown)]);
    expect(heard).toEqual(['DIM button-7 40']);
  });

  it('is written to its serial port, answered to subscribers, and shown as any other', async () => {
    expect(await ask({ request_id: 'r1', params: { level: 7 } })).toEqual({ status: 200, result: { level: 7 } });
    expect(await ask({ request_id: 'r2', params: { level: 101 } })).toEqual({ status: 500, error: 'too bright' });
    expect(await ask({ request_id: 'r3' })).toMatchObject({ status: 400, error: 'params.level is missing' });
    expect(await ask({ request_id: 'r4', level: 7 })).toMatchObject({
      status: 400,
      error: expect.stringContaining('"level" is unknown'),
    });
    expect(await ask({ request_id: 'r5' }, 'devices/lamp/commands/blink')).toMatchObject({ status: 404 });
    const answers = mosquitto('mosquitto_sub', '-t', 'devices/lamp/responses/+', '-C', '1', '-v');
    // Until it has subscribed it hears nothing; the command may be given as often as that takes.
    const restart = async () => {
      await mosquitto('mosquitto_pub', '-t', 'devices/lamp/commands/restart', '-n').ended;
      return answers.stdout() !== '';
    };
    await waitFor(restart, { what: 'an answer', ...SOON });
    expect((await answers.ended).stdout).toMatch(
      /^devices\/lamp\/responses\/[0-9a-f]{32} \{"status":202,"result":null\}/,
    );
    expect(await command('r1')).toMatchObject({ state: 'done', status: 200, device: 'lamp', name: 'dim' });
    const { commands } = (await gateway.get('/v1/devices/lamp/commands')) as { commands: CommandJson[] };
    expect(commands.map(({ request_id }) => request_id)).toEqual(expect.arrayContaining(['r1', 'r2', 'r3', 'r5']));
    expect(await metrics()).toContain('sluice_commands_refused_total{reason="unknown_member"} 1\n');
    expect(heard).toEqual(expect.arrayContaining(['DIM r1 7', 'DIM r2 101', 'RESTART']));
    // Nothing of it is a record, and no answer is retained.
    expect(await gateway.get('/v1/records?device=lamp')).toMatchObject({ records: [] });
    const retained = await mosquitto('mosquitto_sub', '-t', 'devices/lamp/responses/#', '-W', '1').ended;
    expect(retained.stdout).toBe('');
  });

  it('writes a register of a Modbus unit', async () => {
    const topic = 'devices/boiler-1/commands/write';
    expect(await ask({ request_id: 'm1', params: { setpoint: 21.5 } }, topic)).toEqual({
      status: 200,
      result: { setpoint: 21.5 },
    });
    expect(await ask({ request_id: 'm2', params: { power: 1 } }, topic)).toMatchObject({ status: 400 });
  });

  it('is run once when it comes again', async () => {
    const request = { request_id: 'once', params: { level: 9 } };
    const client = await RawClient.connected(gateway.mqttPort, { clientId: 'again' });
    await client.subscribe(['devices/lamp/responses/once', 0]);
    const publish = async (dup: boolean) => {
      client.send(publishBytes({ topic: DIM, payload: JSON.stringify(request), qos: 1, packetId: 7, dup }));
      await client.next('puback');
      await client.next('publish');
    };
    await publish(false);
    await publish(true);
    expect(await ask(request)).toEqual({ status: 200, result: { level: 9 } });
    expect(heard.filter((text) => text === 'DIM once 9')).toHaveLength(1);
    expect(await metrics()).toContain('sluice_commands_refused_total{reason="repeated"} 2\n');
  });

  it('is taken from a device with a grant, and from no other', async () => {
    const login = (device: string): string[] => {
      const { out } = sluice(['device', 'add', device, '--json', '--config', gateway.configFile]);
      return ['-p', `${securePort}`, '-u', device, '-P', (JSON.parse(out) as { secret: string }).secret, '-i', device];
    };
    const message = (id: string) => [
      ...['-t', DIM],
      ...['-m', `{"request_id":"${id}","params":{"level":1},"timeout_ms":15000}`],
    ];
    for (const device of ['meter', 'lamp']) {
      const { code } = await mosquitto('mosquitto_pub', ...login(device), ...message(`of-${device}`)).ended;
      expect(code).toBe(0);
    }
    const answer = ['-V', 'mqttv311', '-W', '18', '-e', 'devices/lamp/responses/granted'];
    const { stdout } = await mosquitto('mosquitto_rr', ...login('node-red'), ...answer, ...message('granted')).ended;
    expect(JSON.parse(stdout)).toEqual({ status: 200, result: { level: 1 } });
    expect(heard.filter((text) => /of-meter|of-lamp/.test(text))).toEqual([]);
    expect(readFileSync(gateway.logFile, 'utf8').match(/MQTT publish denied/g)).toHaveLength(2);
  });

  it('is run by no gateway that was started later, be it retained, sent again, or the will of who was connected', async () => {
    const restart = 'devices/lamp/commands/restart';
    const will = { topic: restart, payload: '{}', qos: 1, retain: true } as const;
    await RawClient.connected(gateway.mqttPort, { clientId: 'mortal', will });
    await waitFor(() => willCount() === 1, { what: 'the will to be on disk', ...SOON });
    const request = { request_id: 'before', params: { level: 5 } };
    const kept = ['-r', '-t', DIM, '-m', JSON.stringify(request)];
    await mosquitto('mosquitto_pub', ...kept).ended;
    await waitFor(() => heard.includes('DIM before 5'), { what: 'the command', ...SOON });
    await gateway.stop('SIGKILL');
    await start();
    const client = await RawClient.connected(gateway.mqttPort, { clientId: 'again' });
    await client.subscribe([DIM, 0], [restart, 0], ['devices/lamp/responses/before', 0]);
    client.send(publishBytes({ topic: DIM, payload: JSON.stringify(request), qos: 1, packetId: 7, dup: true }));
    await client.next('puback');
    await client.quiet();
    const messages = client.messages().join('\n');
    expect(messages).toMatch(/"status":409,"error":"it came as a repetition/);
    expect(messages).toContain(`${restart} {} q0r`);
    // Removing it is no command either; another one is, and comes behind them.
    await mosquitto('mosquitto_pub', '-r', '-n', '-t', DIM).ended;
    expect(await ask({ request_id: 'behind', params: { level: 6 } })).toMatchObject({ status: 200 });
    expect(heard).toEqual(['DIM behind 6']);
  });
});
