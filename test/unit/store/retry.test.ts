import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { LaneStats } from '../../../src/core/log-stats.ts';
import type { Seq } from '../../../src/core/record.ts';
import { laneBatch } from '../../../src/uplink/lane-batch.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

const PLANT: LaneId = { uplink: 'plant', stream: 'telemetry' };
const STICK: LaneId = { uplink: 'stick', stream: 'telemetry' };
const LATE: LaneId = { uplink: 'late', stream: 'telemetry' };
const OBSERVED_AT = 1_000;
const SOON = { timeout: 10_000 };
const ALL = { maxRecords: 1_000, maxBytes: 1e9 };

describe('a reject that is tried again', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;
  let rejectedSeq: Seq;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir });
    await store.lanes.open(PLANT, 'oldest');
    await store.lanes.open(STICK, 'oldest');
    const record = newRecord({ observedAt: OBSERVED_AT });
    const { firstSeq } = await store.client.append(entryOf(record, newRecord()));
    rejectedSeq = firstSeq;
    const rejected = [{ seq: firstSeq, reason: 'message_too_large', detail: 'why' }];
    await store.lanes.settle({ lane: PLANT, from: 0, upTo: firstSeq + 1, deliveredCount: 1, rejected });
    await store.lanes.settle({ lane: STICK, from: 0, upTo: firstSeq + 1, deliveredCount: 2, rejected: [] });
  });

  afterEach(async () => {
    await store.close();
    expect(countStore(directory.dataDir, { deep: true }).problems).toEqual([]);
    directory.remove();
  });

  async function countsOf({ uplink, stream }: LaneId): Promise<object> {
    const { lanes } = await store.client.stats();
    const lane = lanes.find((stats) => stats.uplink === uplink && stats.stream === stream) as LaneStats;
    const { acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount } = lane;
    return { acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount };
  }

  /** What a lane of the uplink worker would do with everything that is pending. */
  async function deliver(lane: LaneId): Promise<Seq[]> {
    const from = await store.lanes.open(lane, 'oldest');
    const { records, upTo, damaged } = laneBatch(lane, from, store.reader.read(lane.stream, from, ALL));
    const rejected = damaged.map((seq) => ({ seq, reason: 'record_damaged', detail: '' }));
    await store.lanes.settle({ lane, from, upTo, deliveredCount: records.length, rejected });
    return records.map(({ seq }) => seq);
  }

  it('is a new record that names the old one, with the time of the old one', async () => {
    const seq = (await store.client.retryReject(1)) ?? 0;
    const { records } = store.reader.read('telemetry', rejectedSeq + 1, ALL);
    expect(records).toMatchObject([{ seq, observedAt: OBSERVED_AT, retryOf: { uplink: 'plant', seq: rejectedSeq } }]);
    expect((await store.client.stats()).rejectsCount).toBe(0);
    expect(await store.client.retryReject(1)).toBeUndefined();
  });

  it('is a new acceptance for the uplink that rejected it, and nothing for any other', async () => {
    const before = await countsOf(STICK);
    const seq = (await store.client.retryReject(1)) ?? 0;
    const first = { acceptedCount: 3, deliveredCount: 1, rejectedCount: 1, droppedCount: 0 };
    expect(await countsOf(PLANT)).toEqual({ ...first, pendingCount: 1 });
    expect(await countsOf(STICK)).toEqual(before);
    expect(await deliver(PLANT)).toEqual([seq]);
    expect(await deliver(STICK)).toEqual([]);
    expect(await countsOf(PLANT)).toEqual({ ...first, deliveredCount: 2, pendingCount: 0 });
    expect(await countsOf(STICK)).toEqual(before);
  });

  it('is nothing for an uplink that begins later with the oldest record either', async () => {
    await store.client.retryReject(1);
    expect(await deliver(LATE)).toHaveLength(2);
    expect(await countsOf(LATE)).toMatchObject({ acceptedCount: 2, deliveredCount: 2, pendingCount: 0 });
  });

  it('counts for its uplink alone when it is damaged', async () => {
    const seq = await store.client.retryReject(1);
    const db = new Database(store.opened.logFile);
    db.prepare('UPDATE telemetry SET body = zeroblob(40) WHERE seq = ?').run(seq);
    db.close();
    await deliver(PLANT);
    await deliver(STICK);
    expect(await countsOf(PLANT)).toMatchObject({ rejectedCount: 2, pendingCount: 0 });
    expect(await countsOf(STICK)).toMatchObject({ deliveredCount: 2, rejectedCount: 0, pendingCount: 0 });
    // What follows looks at every checksum.
    const repaired = new Database(store.opened.logFile);
    repaired.prepare('DELETE FROM telemetry WHERE seq = ?').run(seq);
    repaired.exec(`UPDATE streams SET removed = removed + 1 WHERE stream = 'telemetry'`);
    repaired.close();
  });

  it('is counted in the same way after a restart', async () => {
    await store.client.retryReject(1);
    await store.close();
    store = await openStore({ dataDir: directory.dataDir });
    expect(await countsOf(PLANT)).toMatchObject({ acceptedCount: 3, pendingCount: 1 });
    expect(await countsOf(STICK)).toMatchObject({ acceptedCount: 2, pendingCount: 0 });
    expect(await deliver(STICK)).toEqual([]);
    expect(await countsOf(STICK)).toMatchObject({ deliveredCount: 2, pendingCount: 0 });
  });

  it('is a drop of its uplink alone when a limit takes it', async () => {
    await store.client.retryReject(1);
    await store.close();
    store = await openStore({ dataDir: directory.dataDir, maxAgeMs: 1 }, { now: () => Date.now() + 60_000 });
    await expect.poll(() => countsOf(PLANT), SOON).toMatchObject({ droppedCount: 1, pendingCount: 0 });
    expect(await countsOf(STICK)).toMatchObject({ droppedCount: 0, pendingCount: 0 });
    expect(await deliver(LATE)).toEqual([]);
    expect(await countsOf(LATE)).toMatchObject({ acceptedCount: 0, pendingCount: 0 });
  });

  it('stays a reject when it is damaged', async () => {
    const db = new Database(store.opened.logFile);
    db.exec('UPDATE rejects SET body = zeroblob(40)');
    db.close();
    await expect(store.client.retryReject(1)).rejects.toMatchObject({ code: 'record_damaged' });
    expect((await store.client.stats()).rejectsCount).toBe(1);
  });

  it('may be a report of a loss', async () => {
    const gaps: LaneId = { uplink: 'plant', stream: 'gaps' };
    const others: LaneId = { uplink: 'stick', stream: 'gaps' };
    const from = await store.lanes.open(gaps, 'now');
    await store.lanes.open(others, 'now');
    await store.close();
    store = await openStore({ dataDir: directory.dataDir, maxAgeMs: 1 }, { now: () => Date.now() + 60_000 });
    await store.client.append(entryOf(newRecord()));
    await expect.poll(() => countsOf(gaps), SOON).toMatchObject({ acceptedCount: 1 });
    const [gap] = laneBatch(gaps, from, store.reader.read('gaps', from, ALL)).records;
    const seq = gap?.seq ?? 0;
    const rejected = [{ seq, reason: 'invalid_record', detail: '' }];
    await store.lanes.settle({ lane: gaps, from, upTo: seq, deliveredCount: 0, rejected });
    expect(await store.client.retryReject(2)).toBeGreaterThan(seq);
    expect(await countsOf(gaps)).toMatchObject({ acceptedCount: 2, rejectedCount: 1, pendingCount: 1 });
  });
});
