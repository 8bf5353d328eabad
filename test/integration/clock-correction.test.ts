import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewRecord } from '../../src/core/record.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { MachineClock, WITH_MACHINE_CLOCK } from '../support/machine-clock.ts';
import { type FileArrival, readFiles } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

const TOLERANCE_MS = 100;
const WAIT = { timeoutMs: 20_000 };
const STICK = {
  name: 'stick',
  type: 'file',
  directory: '{directory}/upstream/stick',
};

describe('a gateway whose clock is wrong', { timeout: 90_000 }, () => {
  let gateway: GatewayProcess;
  let clock: MachineClock;

  beforeEach(async () => {
    gateway = await GatewayProcess.create({
      config: { clock: { waitForSync: '0s' }, uplinks: [STICK] },
      ...WITH_MACHINE_CLOCK,
    });
    mkdirSync(join(gateway.directory, 'upstream'));
    clock = new MachineClock(gateway);
    clock.boot(60);
    clock.set(-Date.now(), 'unsynced');
  });

  afterEach(() => gateway.dispose());

  async function post(path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`http://127.0.0.1:${gateway.apiPort}${path}`, {
      method: 'POST',
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    expect(response.ok, path).toBe(true);
    return response.status === 204 ? undefined : await response.json();
  }

  const forwarding = (what: 'pause' | 'resume'): Promise<unknown> => post(`/v1/uplinks/stick/${what}`);

  /** Resolves with its seq. */
  async function send(number: number, metrics: object = {}): Promise<number> {
    const stored = await post('/v1/devices/pump/telemetry', { id: `pump-${number}`, ...metrics });
    return (stored as { first_seq: number }).first_seq;
  }

  async function qualityOf(seq: number): Promise<NewRecord['timeQuality']> {
    return ((await gateway.get(`/v1/records/${seq}`)) as { time_quality: NewRecord['timeQuality'] }).time_quality;
  }

  const isCorrected = (seq: number) =>
    waitFor(async () => (await qualityOf(seq)) === 'corrected', { ...WAIT, what: 'the correction' });

  async function arrived(): Promise<FileArrival[]> {
    const found: FileArrival[] = [];
    for await (const arrival of readFiles(join(gateway.directory, 'upstream'))) found.push(arrival);
    return found;
  }

  const hasArrived = (count: number) => async (): Promise<boolean> => (await arrived()).length === count;

  it('corrects what an uplink still has to deliver, and sends nothing again', async () => {
    await gateway.start();
    await send(1);
    await waitFor(hasArrived(1), { ...WAIT, what: 'the first record' });
    await forwarding('pause');
    const from = Date.now();
    const seq = await send(2);
    clock.set(10 * 365 * 86_400_000, 'unsynced');
    const last = await send(3, { ts: 1_700_000_000 });
    const to = Date.now();
    expect(await qualityOf(last)).toBe('unsynced');
    clock.set(0, 'synced');
    await isCorrected(last);
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

  it('sends again by true times what was accepted and sent under a wrong clock', async () => {
    await gateway.start();
    await send(1);
    const from = await momentApart();
    const first = await send(2);
    clock.set(10 * 365 * 86_400_000, 'unsynced');
    const last = await send(3);
    const to = await momentApart();
    await send(4);
    await waitFor(hasArrived(4), { ...WAIT, what: 'all records' });
    clock.set(0, 'synced');
    await isCorrected(last);
    const range = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
    await post('/v1/replays', { uplink: 'stick', stream: 'telemetry', ...range });
    const isDone = async (): Promise<boolean> => {
      const { replays } = (await gateway.get('/v1/replays')) as { readonly replays: readonly { state: string }[] };
      return replays.every(({ state }) => state === 'done');
    };
    await waitFor(isDone, { ...WAIT, what: 'the replay' });
    const [before, again] = [(await arrived()).filter(isOfLane), (await arrived()).filter((each) => !isOfLane(each))];
    expect(before.map(({ timeQuality }) => timeQuality)).toEqual(Array(4).fill('unsynced'));
    expect(again.map(({ seq, timeQuality }) => [seq, timeQuality])).toEqual([
      [first, 'corrected'],
      [last, 'corrected'],
    ]);
    for (const { time } of again) {
      expect(time).toBeGreaterThanOrEqual(from);
      expect(time).toBeLessThan(to);
    }
  });

  it('waits for the synchronisation however the clock is set, and forwards without it when the time for that is over', {
    timeout: 60_000,
  }, async () => {
    gateway.configure({ clock: { waitForSync: '1d' }, uplinks: [STICK] });
    await gateway.start();
    await send(1);
    const waits = async (): Promise<boolean> => (await uplink()).code === 'waiting_for_clock';
    await waitFor(waits, { ...WAIT, what: 'the uplink to wait' });
    clock.set(10 * 365 * 86_400_000, 'unsynced');
    const isLate = async (): Promise<boolean> => (await receivedAt(await send(2))) > Date.now();
    await waitFor(isLate, { ...WAIT, what: 'the clock to be set' });
    expect(await uplink()).toMatchObject({ code: 'waiting_for_clock' });
    expect(await arrived()).toEqual([]);
    await gateway.stop('SIGKILL');
    gateway.configure({ clock: { waitForSync: '500ms' }, uplinks: [STICK] });
    await gateway.start();
    const isUp = async (): Promise<boolean> => (await uplink()).state === 'up' && (await arrived()).length > 1;
    await waitFor(isUp, { ...WAIT, what: 'the records' });
    expect(gateway.logTail()).toContain('the clock is not synchronised; forwarding begins all the same');
    expect((await arrived()).map(({ recordId }) => recordId).slice(0, 2)).toEqual(['pump-1', 'pump-2']);
    expect((await arrived()).every(({ timeQuality }) => timeQuality === 'unsynced')).toBe(true);
  });

  async function uplink(): Promise<{ readonly state: string; readonly code: string | null }> {
    return (await gateway.get('/v1/uplinks/stick')) as { readonly state: string; readonly code: string | null };
  }

  async function receivedAt(seq: number): Promise<number> {
    return Date.parse(((await gateway.get(`/v1/records/${seq}`)) as { received_at: string }).received_at);
  }

  const isOfLane = ({ part }: FileArrival): boolean => part === '';

  /** A moment to which corrected times before and behind it cannot come close. */
  async function momentApart(): Promise<number> {
    const isPast = (at: number) => waitFor(() => Date.now() > at, { ...WAIT, what: 'time to pass' });
    await isPast(Date.now() + TOLERANCE_MS);
    const moment = Date.now();
    await isPast(moment + TOLERANCE_MS);
    return moment;
  }
});
