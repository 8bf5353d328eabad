import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { uptime } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { NewRecord } from '../../src/core/record.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type FileArrival, readFiles } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

const WRONG_CLOCK = new URL('../crash/clock/wrong-clock.ts', import.meta.url).href;
const TOLERANCE_MS = 100;
const WAIT = { timeoutMs: 20_000 };
const STICK = {
  name: 'stick',
  type: 'file',
  directory: '{directory}/upstream/stick',
};

let gateway: GatewayProcess;
let bootedAtS: number;

beforeEach(async () => {
  bootedAtS = uptime() - 60;
  gateway = await GatewayProcess.create({
    config: { clock: { waitForSync: '0s' }, uplinks: [STICK] },
    nodeOptions: ['--import', WRONG_CLOCK],
    env: { WRONG_CLOCK_FILE: '{directory}/clock', PATH: `{directory}/bin:${process.env['PATH'] ?? ''}` },
  });
  for (const name of ['upstream', 'bin']) mkdirSync(join(gateway.directory, name));
  writeFileSync(join(gateway.directory, 'bin/timedatectl'), '#!/bin/sh\necho no\n');
  chmodSync(join(gateway.directory, 'bin/timedatectl'), 0o755);
  setClock(-Date.now(), 'unsynced');
  await gateway.start();
});

afterEach(() => gateway.dispose());

function setClock(offsetMs: number, state: 'synced' | 'unsynced'): void {
  const file = join(gateway.directory, 'clock');
  writeFileSync(`${file}.new`, `${offsetMs} ${state} ${bootedAtS}`);
  renameSync(`${file}.new`, file);
}

async function forwarding(what: 'pause' | 'resume'): Promise<void> {
  const response = await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/uplinks/stick/${what}`, { method: 'POST' });
  expect(response.ok).toBe(true);
}

async function send(number: number, metrics: object = {}): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/devices/pump/telemetry`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ id: `pump-${number}`, ...metrics }),
  });
  expect(response.status).toBe(202);
  return ((await response.json()) as { first_seq: number }).first_seq;
}

async function qualityOf(seq: number): Promise<NewRecord['timeQuality']> {
  return ((await gateway.get(`/v1/records/${seq}`)) as { time_quality: NewRecord['timeQuality'] }).time_quality;
}

async function arrived(): Promise<FileArrival[]> {
  const found: FileArrival[] = [];
  for await (const arrival of readFiles(join(gateway.directory, 'upstream'))) found.push(arrival);
  return found;
}

const hasArrived = (count: number) => async (): Promise<boolean> => (await arrived()).length === count;

it('corrects what an uplink still has to deliver, and sends nothing again', async () => {
  await send(1);
  await waitFor(hasArrived(1), { ...WAIT, what: 'the first record' });
  await forwarding('pause');
  const from = Date.now();
  const seq = await send(2);
  setClock(10 * 365 * 86_400_000, 'unsynced');
  const last = await send(3, { ts: 1_700_000_000 });
  const to = Date.now();
  expect(await qualityOf(last)).toBe('unsynced');
  setClock(0, 'synced');
  await waitFor(async () => (await qualityOf(last)) === 'corrected', { ...WAIT, what: 'the correction' });
  expect(await qualityOf(seq)).toBe('corrected');
  await forwarding('resume');
  await waitFor(hasArrived(3), { ...WAIT, what: 'all records' });
  await send(4);
  await waitFor(hasArrived(4), { ...WAIT, what: 'the last record' });
  const all = await arrived();
  expect(all.map(({ recordId, timeQuality }) => [recordId, timeQuality])).toEqual([
    ['pump-1', 'unsynced'],
    ['pump-2', 'corrected'],
    ['pump-3', 'corrected'],
    ['pump-4', 'synced'],
  ]);
  expect(all[1]?.time).toBeGreaterThanOrEqual(from - TOLERANCE_MS);
  expect(all[1]?.time).toBeLessThanOrEqual(to + TOLERANCE_MS);
  // The device's own.
  expect(all[2]?.time).toBe(1_700_000_000_000);
});
