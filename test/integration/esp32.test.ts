import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sluice } from '../support/command-line.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import type { CommandJson } from '../support/give-command.ts';
import { startCommand } from '../support/run-command.ts';
import { compiledSketch, documented, drivenPins, SKETCH } from '../support/sketch.ts';
import { waitFor } from '../support/wait-for.ts';

const HEADING = 'ESP32 over MQTT';
/** LED_PIN of the sketch. */
const LAMP_PIN = 2;
const COMMAND = documented(HEADING, /```sh\n(curl .*)\n```/);

interface Reading {
  readonly n: number;
  readonly lost: number;
}

/** Its PUBACK never reaches the board. */
const WITHHELD = 5;

let directory: string;
let gateway: GatewayProcess;
let client: mqtt.MqttClient | undefined;
let board: ChildProcess | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-esp32-'));
  gateway = await GatewayProcess.create();
  const closed = { host: '127.0.0.1', port: gateway.mqttPort, anonymous: false };
  gateway.configure({ mqtt: { listeners: [closed], maxPublishRate: 0 } });
});

afterEach(async () => {
  if (board !== undefined) {
    const closed = once(board, 'close');
    board.kill('SIGKILL');
    await closed;
  }
  await client?.endAsync(true);
  await gateway.dispose();
  rmSync(directory, { recursive: true });
});

/** What the sketch's MQTT client says is done by a real one. Returns what the board's outputs drive. */
function run(program: string): ReadonlyMap<number, number> {
  const running = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  board = running;
  const tell = (line: string) => running.stdin.write(`${line}\n`);
  const act = async (line: string): Promise<void> => {
    const [kind, ...words] = line.split(' ');
    if (kind === 'connect') client = connectedAs(words, tell);
    if (kind === 'subscribe') await client?.subscribeAsync(words[0] ?? '', { qos: 1 });
    if (kind !== 'publish') return;
    const [id, qos, topic = '', ...payload] = words;
    await client?.publishAsync(topic, payload.join(' '), { qos: qos === '1' ? 1 : 0 });
    if (qos === '1' && Number(id) !== WITHHELD) tell(`puback ${id}`);
  };
  // What fails once the board is off concerns nobody; before, a reading or an answer is missing.
  running.stdin.on('error', () => undefined);
  createInterface(running.stdout).on('line', (line) => act(line).catch(() => undefined));
  return drivenPins(running.stdout);
}

/** Connects again by itself, as Espressif's does. */
function connectedAs([uri = '', clientId = '', username = '', password = '']: string[], tell: (line: string) => void) {
  const { protocol } = new URL(uri);
  const options = { clientId, username, password, clean: false, reconnectPeriod: 100 };
  return mqtt
    .connect(`${protocol}//127.0.0.1:${gateway.mqttPort}`, options)
    .on('connect', () => tell('connected'))
    .on('close', () => tell('disconnected'))
    .on('error', () => undefined)
    .on('message', (topic, payload) => tell(`message ${topic} ${payload}`));
}

it('the sketch for ESP32 of docs/arduino.md logs in, brings its readings one by one, over a kill too, and obeys commands', {
  timeout: 60_000,
}, async () => {
  await gateway.start();
  const added = sluice(['device', 'add', 'attic', '--json', '--config', gateway.configFile]);
  const { secret } = JSON.parse(added.out) as { secret: string };
  const code = documented(HEADING, SKETCH).replace('SECRET = "…"', `SECRET = "${secret}"`);
  const pins = run(await compiledSketch(code, 'esp32', directory));
  const readings = async (): Promise<Reading[]> => {
    const page = await gateway.get('/v1/records?device=attic&stream=telemetry&limit=1000');
    return (page as { records: { value: Reading }[] }).records.map(({ value }) => value);
  };
  const brought = (least: number) =>
    waitFor(async () => (await readings()).length >= least, { what: 'readings', timeoutMs: 20_000 });
  await brought(20);
  await gateway.stop('SIGKILL');
  await gateway.start();
  await brought(40);
  for (const on of [true, false]) {
    const script = COMMAND.replace('http://127.0.0.1:8080', `http://127.0.0.1:${gateway.apiPort}`).replace(
      'true',
      `${on}`,
    );
    const { stdout } = await startCommand('sh', ['-ec', `${script} -s`]).ended;
    expect(JSON.parse(stdout) as CommandJson).toMatchObject({ state: 'done', status: 200, result: { on } });
    await waitFor(() => pins.get(LAMP_PIN) === Number(on), { what: `the lamp, ${on}`, timeoutMs: 5_000 });
  }
  // What waits too long for its PUBACK is sent again, and may be there twice; the next one is sent behind it.
  const numbers = [...new Set((await readings()).map(({ n }) => n).reverse())];
  expect(numbers).toEqual(numbers.map((_, index) => index + 1));
});
