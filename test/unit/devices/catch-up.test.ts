import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Batch } from '../../../src/core/lane-log.ts';
import type { StoredRecord } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import type { ReadRecords } from '../../../src/devices/catch-up.ts';
import { DeviceTable } from '../../../src/devices/device-table.ts';
import { FakeStateStore } from '../../support/fake-state-store.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

let state: FakeStateStore;
let logger: MemoryLogger;
let log: StoredRecord[];
let table: DeviceTable;

const readLog: ReadRecords = async (stream, after, limit): Promise<Batch> => {
  const records = log.filter((record) => record.stream === stream && record.seq > after).slice(0, limit.maxRecords);
  return { records, upTo: records.at(-1)?.seq ?? after, damaged: [], hasMore: false };
};

beforeEach(() => {
  state = new FakeStateStore();
  logger = new MemoryLogger();
  log = [];
});

afterEach(() => table.stop());

function store(seq: number, value: unknown, stream: Stream = 'telemetry'): void {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  log.push({
    seq,
    stream,
    device: 'pump',
    receivedAt: 1_000 + seq,
    observedAt: null,
    timeQuality: 'synced',
    contentType: 'application/json',
    eventType: null,
    channel: 'devices/pump/telemetry',
    value: Buffer.from(text),
  });
}

async function startTable(read: ReadRecords = readLog): Promise<void> {
  table = new DeviceTable({ maxDevices: 10, maxMetrics: 10, saveIntervalMs: 5 }, { state, logger, now: () => 0, read });
  await table.start();
}

function retry(seq: number, value: unknown): void {
  store(seq, value);
  const record = log.pop();
  if (record !== undefined) log.push({ ...record, retryOf: { uplink: 'plant', seq: 1 } });
}

function values(): Record<string, unknown> {
  return Object.fromEntries((table.latest('pump') ?? []).map(({ metric, value }) => [metric, value]));
}

describe('catching up', () => {
  it('leaves out what is tried again: it was observed when it came', async () => {
    store(3, { t: 20 });
    retry(4, { t: 1 });
    store(5, { u: 1 });
    await startTable();
    await vi.waitFor(() => expect(values()).toEqual({ t: 20, u: 1 }));
  });

  it('derives from the log what a crash took', async () => {
    await state.saveSeen([], 2);
    store(2, { before: 1 });
    store(3, { t: 20, u: 1 });
    store(4, { t: 21 });
    store(5, 'opened', 'events');
    await startTable();
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(5));
    expect(values()).toEqual({ t: 21, u: 1 });
    expect(table.get('pump')).toMatchObject({ firstSeenAt: 1_003, lastSeenAt: 1_005 });
  });

  it('takes scalars for metrics, and the time of observation for none', async () => {
    store(1, { t: 1, on: true, text: 'a', none: null, ts: 1_700_000_000, nested: { a: 1 }, list: [1] });
    store(2, 'not json at all');
    store(3, [1, 2]);
    store(4, '{"__proto__":7,"constructor":8}');
    await startTable();
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(4));
    const expected = { t: 1, on: true, text: 'a', none: null, constructor: 8 };
    expect(values()).toEqual(Object.defineProperty(expected, '__proto__', { value: 7, enumerable: true }));
  });

  it('reads a long log in short steps', async () => {
    for (let seq = 1; seq <= 1_000; seq += 1) store(seq, { t: seq });
    const read = vi.fn(readLog);
    await startTable(read);
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(1_000));
    expect(values()).toEqual({ t: 1_000 });
    expect(read.mock.calls.length).toBeGreaterThan(5);
  });

  it('keeps what was accepted meanwhile, and stops where that began', async () => {
    store(1, { t: 'behind', u: 'behind' });
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    await startTable(async (...args) => {
      await gate;
      return readLog(...args);
    });
    table.recordsAccepted([{ device: 'pump', seq: 2, receivedAt: 2, observedAt: null, metrics: { t: 'live' } }]);
    store(2, { t: 'live' });
    expect(values()).toEqual({ t: 'live' });
    open();
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(2));
    expect(values()).toEqual({ t: 'live', u: 'behind' });
  });

  it('does not call the log caught up before it is', async () => {
    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    await startTable(async (...args) => {
      await gate;
      return readLog(...args);
    });
    store(1, { t: 1 });
    table.recordsAccepted([{ device: 'valve', seq: 2, receivedAt: 2, observedAt: null, metrics: null }]);
    await vi.waitFor(async () => expect(await state.loadDevices()).toHaveLength(1));
    expect(await state.seenUpTo()).toBe(0);
    open();
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(2));
  });

  it('is tried again when the log could not be read', async () => {
    store(1, { t: 1 });
    let failures = 2;
    await startTable((...args) => {
      failures -= 1;
      return failures >= 0 ? Promise.reject(new Error('busy')) : readLog(...args);
    });
    await vi.waitFor(() => expect(values()).toEqual({ t: 1 }));
    expect(logger.lines.map((line) => line.fields)).toEqual([{ reason: 'busy' }, { reason: 'busy' }]);
  });

  it('does not hold up the stop', async () => {
    await startTable(() => new Promise(() => undefined));
    await table.stop();
    expect(await state.seenUpTo()).toBe(0);
  });
});
