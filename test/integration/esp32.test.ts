import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import mqtt from 'mqtt';
import { afterEach, beforeEach, expect, it } from 'vitest';
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

let directory: string;
let gateway: GatewayProcess;
let client: mqtt.MqttClient;
let board: ChildProcess | undefined;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-esp32-'));
  gateway = await GatewayProcess.create();
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
  client.on('message', (topic, payload) => tell(`message ${topic} ${payload}`));
  const act = async (line: string): Promise<void> => {
    const [kind, ...words] = line.split(' ');
    if (kind === 'subscribe') await client.subscribeAsync(words[0] ?? '', { qos: 1 });
    if (kind !== 'publish') return;
    const [id, qos, topic = '', ...payload] = words;
    await client.publishAsync(topic, payload.join(' '), { qos: qos === '1' ? 1 : 0 });
    if (qos === '1') tell(`puback ${id}`);
  };
  // What fails once the board is off concerns nobody; before, a reading or an answer is missing.
  running.stdin.on('error', () => undefined);
  createInterface(running.stdout).on('line', (line) => act(line).catch(() => undefined));
  tell('connected');
  return drivenPins(running.stdout);
}

it('the sketch for ESP32 of docs/arduino.md brings its readings one by one, and obeys commands', {
  timeout: 60_000,
}, async () => {
  const [program] = await Promise.all([
    compiledSketch(documented(HEADING, SKETCH), 'esp32', directory),
    gateway.start(),
  ]);
  client = await mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.mqttPort}`, { clientId: 'attic', clean: false });
  const pins = run(program);
  const readings = async (): Promise<Reading[]> => {
    const page = await gateway.get('/v1/records?device=attic&stream=telemetry&limit=1000');
    return (page as { records: { value: Reading }[] }).records.map(({ value }) => value);
  };
  await waitFor(async () => (await readings()).length >= 20, { what: 'readings', timeoutMs: 20_000 });
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
