import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { GatewayProcess } from '../support/gateway-process.ts';
import { giveCommand } from '../support/give-command.ts';
import { PtyPair } from '../support/pty-pair.ts';
import { serialPortsOpen } from '../support/serial-ports-open.ts';
import { documentedSketch, SketchBoard } from '../support/sketch.ts';
import { waitFor } from '../support/wait-for.ts';

/** LED_BUILTIN of an Uno. */
const LAMP_PIN = 13;

interface Reading {
  readonly n: number;
  readonly boot: number;
  readonly lost: number;
  readonly celsius: number;
}

let directory: string;
let gateway: GatewayProcess;
let pair: PtyPair;
let board: SketchBoard;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-arduino-'));
  gateway = await GatewayProcess.create();
  pair = new PtyPair();
  board = new SketchBoard(directory);
  await pair.plug();
});

afterEach(async () => {
  await board.stop();
  await gateway.dispose();
  await pair.dispose();
  rmSync(directory, { recursive: true });
});

async function readingsOf(device: string): Promise<Reading[]> {
  const page = (await gateway.get(`/v1/records?device=${device}&stream=telemetry&limit=1000`)) as {
    records: { value: Reading }[];
  };
  return page.records.map(({ value }) => value);
}

it('a sketch gives up a reading that can never be stored, and nothing else waits for it', {
  timeout: 60_000,
}, async () => {
  const { yaml, code } = documentedSketch('Lines of JSON');
  const { serial } = parse(yaml) as { serial: [object] };
  gateway.configure({ serial: [{ ...serial[0], path: pair.path }] });
  // Nothing but the answer lets go of it.
  const patient = code
    .replace('AGAIN_MS = 2000', 'AGAIN_MS = 60000000')
    .replace('ROOM = 16', 'ROOM = 250')
    .replace('return analogRead', 'if (number == 1) return strtod("nan", NULL);\n  return analogRead');
  await Promise.all([gateway.start(), board.flash(patient)]);
  // What is said to a port that nobody has opened is lost.
  await serialPortsOpen(gateway, 10_000);
  board.start(pair.devicePath);
  await waitFor(async () => (await readingsOf('greenhouse')).length >= 3, { what: 'readings', timeoutMs: 8_000 });
  const oldestFirst = (await readingsOf('greenhouse')).sort((a, b) => a.n - b.n);
  expect(oldestFirst.slice(0, 3)).toMatchObject([
    { n: 1, lost: 0 },
    { n: 3, lost: 1 },
    { n: 4, lost: 1 },
  ]);
});

describe.each([
  ['Lines of JSON', 'greenhouse'],
  ['Binary frames', 'boiler'],
])('the sketch "%s" of docs/arduino.md', (heading, device) => {
  const readings = () => readingsOf(device);

  async function more(count: number): Promise<void> {
    const had = (await readings()).length;
    await waitFor(async () => (await readings()).length >= had + count, { what: 'readings', timeoutMs: 20_000 });
  }

  it('brings every reading, once, over a kill of the gateway and a reset of the board', {
    timeout: 90_000,
  }, async () => {
    const { yaml, code } = documentedSketch(heading);
    const { serial } = parse(yaml) as { serial: [object] };
    gateway.configure({ serial: [{ ...serial[0], path: pair.path }] });
    await Promise.all([gateway.start(), board.flash(code)]);
    board.start(pair.devicePath);
    await more(20);
    await gateway.stop('SIGKILL');
    await gateway.start();
    await more(20);
    await board.reset(pair.devicePath);
    await more(20);
    for (const on of [true, false]) {
      expect(await giveCommand(gateway, device, 'led', { params: { on } })).toMatchObject({
        ...{ state: 'done', status: 200, result: { on } },
      });
      await waitFor(() => board.pins.get(LAMP_PIN) === Number(on), { what: `the lamp, ${on}`, timeoutMs: 5_000 });
    }
    await more(20);
    const all = await readings();
    for (const boot of [1, 2]) {
      const ofBoot = all.filter((reading) => reading.boot === boot);
      const numbers = ofBoot.map(({ n }) => n);
      const givenUp = Math.max(...ofBoot.map(({ lost }) => lost));
      expect(new Set(numbers).size).toBe(numbers.length);
      expect(Math.max(...numbers) - numbers.length).toBeLessThanOrEqual(givenUp);
      expect(ofBoot.every(({ celsius }) => celsius >= 0 && celsius < 150)).toBe(true);
    }
    expect(new Set(all.map(({ boot }) => boot))).toEqual(new Set([1, 2]));
  });
});
