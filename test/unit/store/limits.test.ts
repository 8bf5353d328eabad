import { Buffer } from 'node:buffer';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import type { LaneStats } from '../../../src/core/log-stats.ts';
import type { StoreOptions } from '../../../src/store/protocol.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const MIB = 1024 * 1024;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const GAPS = { uplink: 'plant', stream: 'gaps' } as const;
const VALUE = Buffer.alloc(1_000, 'x');

describe('limits', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;

  beforeEach(() => {
    directory = storeDirectory();
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function open(options: Partial<StoreOptions>): Promise<void> {
    store = await openStore({ dataDir: directory.dataDir, maxBytes: 8 * MIB, ...options });
  }

  async function fill(records: number, device = 'device-1'): Promise<void> {
    for (let left = records; left > 0; left -= 500) {
      const batch = Array.from({ length: Math.min(left, 500) }, () => newRecord({ device, value: VALUE }));
      await store.client.append(entryOf(...batch));
    }
  }

  async function laneStats(): Promise<LaneStats> {
    const { lanes } = await store.client.stats();
    const lane = lanes.find(({ stream }) => stream === 'telemetry');
    if (lane === undefined) throw new Error('no lane');
    return lane;
  }

  function gaps(): Gap[] {
    const { records } = store.reader.read('gaps', 0, { maxRecords: 10_000, maxBytes: 64 * MIB });
    return records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap);
  }

  async function settleAll(): Promise<void> {
    const { lanes, streams } = await store.client.stats();
    const { cursor: from = 0, pendingCount: deliveredCount = 0 } =
      lanes.find(({ stream }) => stream === 'telemetry') ?? {};
    const upTo = streams.find(({ stream }) => stream === 'telemetry')?.lastSeq ?? 0;
    await store.lanes.settle({ lane: LANE, from, upTo, deliveredCount, rejected: [] });
  }

  async function until(condition: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + 20_000;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error('the condition never held');
    }
  }

  it('hold the files to maxBytes however much comes', async () => {
    await open({});
    await fill(30_000);
    await until(async () => (await store.client.stats()).bytes <= 8 * MIB);
    expect(statSync(join(directory.dataDir, 'log.db')).size).toBeLessThan(10 * MIB);
  });

  it('take what was delivered first, and drop nothing for it', async () => {
    await open({});
    await store.lanes.open(LANE, 'oldest');
    for (let round = 0; round < 5; round++) {
      await fill(4_000);
      await settleAll();
    }
    expect(await laneStats()).toMatchObject({ droppedCount: 0, deliveredCount: 20_000, pendingCount: 0 });
    expect(gaps()).toEqual([]);
  });

  it('drop the oldest pending records, counted, and report them in gaps that add up', async () => {
    await open({});
    await store.lanes.open(LANE, 'oldest');
    await store.lanes.open(GAPS, 'oldest');
    await fill(10_000, 'a');
    await fill(10_000, 'b');
    await until(async () => {
      const { droppedCount } = await laneStats();
      return droppedCount > 0 && droppedCount === (await laneStats()).droppedCount;
    });
    const lane = await laneStats();
    expect(lane.acceptedCount).toBe(20_000);
    expect(lane.pendingCount).toBe(20_000 - lane.droppedCount);
    expect(lane.droppedByReason).toEqual({ max_bytes: lane.droppedCount });
    const reported = gaps();
    expect(reported.reduce((sum, { count }) => sum + count, 0)).toBe(lane.droppedCount);
    expect(reported[0]).toMatchObject({ uplink: 'plant', device: 'a', stream: 'telemetry', reason: 'max_bytes' });
    const rest = store.reader.read('telemetry', 0, { maxRecords: 1, maxBytes: 1 }).records[0];
    expect(rest?.seq).toBeGreaterThan(Math.max(...reported.map(({ last_seq }) => last_seq ?? 0)));
  });

  it('never take records of a batch in flight', async () => {
    await open({});
    const from = await store.lanes.open(LANE, 'oldest');
    await fill(1_000);
    const { upTo } = store.reader.read('telemetry', 0, { maxRecords: 10, maxBytes: MIB });
    await store.lanes.claim(LANE, upTo);
    const filling = fill(20_000);
    await until(async () => (await store.client.stats()).full !== null);
    expect(await laneStats()).toMatchObject({ cursor: from, droppedCount: 0 });
    await store.lanes.settle({ lane: LANE, from, upTo, deliveredCount: 10, rejected: [] });
    await filling;
    expect(await laneStats()).toMatchObject({ deliveredCount: 10, acceptedCount: 21_000 });
  });

  it('spare the more precious streams while the oldest of a backlog is in flight', async () => {
    await open({});
    const from = await store.lanes.open(LANE, 'oldest');
    await store.lanes.open({ uplink: 'plant', stream: 'events' }, 'oldest');
    await store.client.append(entryOf(newRecord({ stream: 'events', value: VALUE })));
    await fill(1_000);
    const { upTo } = store.reader.read('telemetry', from, { maxRecords: 10, maxBytes: MIB });
    await store.lanes.claim(LANE, upTo);
    const filling = fill(20_000);
    await until(async () => (await store.client.stats()).full !== null);
    const { lanes } = await store.client.stats();
    expect(lanes.find(({ stream }) => stream === 'events')).toMatchObject({ droppedCount: 0, pendingCount: 1 });
    await store.lanes.release(LANE);
    await filling;
  });

  it('drop the oldest of a backlog that is always in flight, and then take new records again', async () => {
    await open({});
    const cursor = await store.lanes.open(LANE, 'oldest');
    await fill(1_000);
    const take = async (after: number) => {
      const { upTo } = store.reader.read('telemetry', after, { maxRecords: 10, maxBytes: MIB });
      const begin = Math.max(after, await store.lanes.claim(LANE, upTo));
      return { from: begin, upTo: Math.max(begin, upTo), count: begin > after ? 0 : 10 };
    };
    let batch = await take(cursor);
    let isFilled = false;
    const filling = fill(20_000).then(() => {
      isFilled = true;
    });
    while (!isFilled) {
      const ahead = take(batch.upTo);
      const { from, upTo, count: deliveredCount } = batch;
      if (upTo > from) await store.lanes.settle({ lane: LANE, from, upTo, deliveredCount, rejected: [] });
      batch = await ahead;
    }
    await filling;
    const { acceptedCount, deliveredCount, droppedCount } = await laneStats();
    expect(acceptedCount).toBe(21_000);
    expect(droppedCount).toBeGreaterThan(10_000);
    expect(deliveredCount).toBeLessThan(5_000);
  });

  it('with `block` let nothing in and drop nothing until there is space again', async () => {
    await open({ whenFull: 'block' });
    await store.lanes.open(LANE, 'oldest');
    const filling = fill(20_000);
    await until(async () => (await store.client.stats()).full !== null);
    const { acceptedCount, droppedCount } = await laneStats();
    expect(acceptedCount).toBeLessThan(20_000);
    expect(droppedCount).toBe(0);
    let filled = false;
    const done = filling.then(() => (filled = true));
    await until(async () => {
      await settleAll();
      return filled;
    });
    await done;
    expect(await laneStats()).toMatchObject({ acceptedCount: 20_000, droppedCount: 0 });
  });

  it('give the disk back when too little of it is free', async () => {
    await open({ maxBytes: 256 * MIB });
    await store.lanes.open(LANE, 'oldest');
    await fill(10_000);
    await store.close();
    await open({ maxBytes: 256 * MIB, keepFreeBytes: Number.MAX_SAFE_INTEGER });
    await until(async () => (await store.client.stats()).full !== null);
    expect(statSync(join(directory.dataDir, 'log.db')).size).toBeLessThan(2 * MIB);
    expect((await laneStats()).droppedByReason['disk_reserve']).toBeGreaterThan(0);
  });

  it('leave room for records beside what is kept for people', async () => {
    await open({ maxBytes: 2 * MIB, whenFull: 'block' });
    const payload = Buffer.alloc(4_096, 'x');
    const message = { source: 'mqtt', reason: 'invalid_json', channel: 'x', receivedAt: 0, payload } as const;
    for (let count = 0; count < 4_000; count++) void store.client.append({ kind: 'refused', message });
    await fill(100);
    expect((await store.client.stats()).full).toBeNull();
  });

  it('count the topics of refused messages too, however long they are', async () => {
    await open({ maxBytes: 8 * MIB });
    await store.lanes.open(LANE, 'oldest');
    await fill(1_000);
    const message = { source: 'mqtt', reason: 'bad_metric_name', receivedAt: 0, payload: Buffer.from('1') } as const;
    const channel = `devices/d/telemetry/${'x'.repeat(65_000)}`;
    const refuse = () => store.client.append({ kind: 'refused', message: { ...message, channel } });
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 100 }, refuse));
    expect(await laneStats()).toMatchObject({ droppedCount: 0, pendingCount: 1_000 });
    expect((await store.client.stats()).full).toBeNull();
  });
});
