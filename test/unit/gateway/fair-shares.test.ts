import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import type { Acceptance } from '../../../src/core/ports.ts';
import { DeviceRates } from '../../../src/ingest/device-rates.ts';
import { Ingest } from '../../../src/ingest/ingest.ts';
import { Shares } from '../../../src/ingest/shares.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { waitFor } from '../../support/wait-for.ts';

const MIB = 2 ** 20;
const ALL = { maxRecords: 100_000, maxBytes: 256 * MIB };
const PAYLOAD = Buffer.from(`{"text":"${'x'.repeat(1_000)}"}`);
const ROUNDS = 30;
const TIMES = 1_000;
const HOUR = 3_600_000;

/** The real door in front of a real store, and nobody who takes anything out of it. */
describe('a device that sends a thousand times as much as another', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;
  let refusedCount: number;
  let elapsed: number;

  beforeEach(async () => {
    directory = storeDirectory();
    refusedCount = 0;
    elapsed = 0;
    store = await openStore({ dataDir: directory.dataDir, maxBytes: 16 * MIB });
    for (const stream of ['telemetry', 'gaps'] as const) await store.lanes.open({ uplink: 'plant', stream }, 'oldest');
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  function door(highWater: number): Ingest {
    return new Ingest({
      log: store.client,
      routes: [],
      clock: { now: Date.now, quality: () => 'synced', bootTime: () => undefined },
      shares: new Shares({ highWater, windowMs: HOUR, keptMs: 30 * 24 * HOUR, refuses: true, elapsed: () => elapsed }),
      rates: new DeviceRates({ ratePerS: 0 }),
      onAccepted: () => undefined,
      onRefused: () => {
        refusedCount += 1;
      },
    });
  }

  const send = (ingest: Ingest, device: string) =>
    ingest.accept({ source: 'mqtt', channel: `devices/${device}/telemetry`, payload: PAYLOAD, handshake: null });

  /** Twice as much as the buffer holds; the two take turns. */
  async function sendAll(ingest: Ingest): Promise<Record<'quiet' | 'chatty', Acceptance[]>> {
    const answers = { quiet: [] as Acceptance[], chatty: [] as Acceptance[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      answers.quiet.push(await send(ingest, 'quiet'));
      answers.chatty.push(...(await sendChatty(ingest)));
    }
    return answers;
  }

  const sendChatty = (ingest: Ingest): Promise<Acceptance[]> =>
    Promise.all(Array.from({ length: TIMES }, () => send(ingest, 'chatty')));

  const stored = () => store.reader.read('telemetry', 0, ALL).records;
  const gaps = () =>
    store.reader.read('gaps', 0, ALL).records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap);
  const quietCount = () => stored().filter(({ device }) => device === 'quiet').length;
  const kindsOf = (answers: readonly Acceptance[]) => new Set(answers.map(({ kind }) => kind));

  it('cannot make it lose a record, and is told of everything that is not taken', async () => {
    const { quiet, chatty } = await sendAll(door(0.8));
    expect(kindsOf(quiet)).toEqual(new Set(['accepted']));
    expect(kindsOf(chatty)).toEqual(new Set(['accepted', 'refused']));
    const devices = stored().map(({ device }) => device);
    expect(devices.filter((device) => device === 'quiet')).toHaveLength(ROUNDS);
    const storedCount = devices.length - ROUNDS;
    expect(storedCount + refusedCount).toBe(ROUNDS * TIMES);
    await waitFor(() => gaps().length > 0, { what: 'the gap', timeoutMs: 10_000 });
    expect(new Set(gaps().map(({ device, reason }) => `${device} ${reason}`))).toEqual(new Set(['chatty share']));
    const { streams, lanes } = await store.client.stats();
    expect(streams[0]).toMatchObject({ acceptedCount: devices.length, overShareCount: refusedCount });
    expect(lanes.find(({ stream }) => stream === 'telemetry')).toMatchObject({ droppedCount: 0 });
  });

  it('cannot make it lose a record at an uplink that is away while another one delivers', async () => {
    const stick = { uplink: 'stick', stream: 'telemetry' } as const;
    await store.lanes.open(stick, 'oldest');
    const ingest = door(0.8);
    for (let round = 0; round < ROUNDS; round += 1) {
      await send(ingest, 'quiet');
      await sendChatty(ingest);
      const from = await store.lanes.open(stick, 'oldest');
      const { records, upTo } = store.reader.read('telemetry', from, ALL);
      await store.lanes.settle({ lane: stick, from, upTo, deliveredCount: records.length, rejected: [] });
    }
    expect(quietCount()).toBe(ROUNDS);
    expect(refusedCount).toBeGreaterThan(0);
  });

  it('cannot make it lose a record that it sent more than a day ago', async () => {
    const ingest = door(0.8);
    for (let round = 0; round < ROUNDS; round += 1) await send(ingest, 'quiet');
    elapsed += 25 * HOUR;
    for (let round = 0; round < ROUNDS; round += 1) await sendChatty(ingest);
    expect(quietCount()).toBe(ROUNDS);
    expect(refusedCount).toBeGreaterThan(0);
  });

  it('does make it lose records where shares are switched off', async () => {
    await sendAll(door(1));
    expect(quietCount()).toBeLessThan(ROUNDS);
  });
});
