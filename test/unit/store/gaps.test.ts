import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { Seq } from '../../../src/core/record.ts';
import { laneBatch } from '../../../src/uplink/lane-batch.ts';
import { DroppingStore } from '../../support/drop-by-age.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const UPLINKS = ['plant', 'stick'] as const;
/** More gaps than are left alone. */
const LOSSES = 6;
const ALL = { maxRecords: 1_000, maxBytes: 1e9 };

describe('damaged gaps of two uplinks', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let dropping: DroppingStore;

  beforeEach(async () => {
    directory = storeDirectory();
    dropping = await DroppingStore.open(directory.dataDir);
    const { lanes } = dropping.store;
    for (const uplink of UPLINKS) {
      await lanes.open({ uplink, stream: 'telemetry' }, 'oldest');
      await lanes.open({ uplink, stream: 'gaps' }, 'oldest');
    }
    for (let loss = 0; loss < LOSSES; loss += 1) await lose();
    const db = new Database(dropping.store.opened.logFile);
    db.exec('UPDATE gaps SET body = zeroblob(40)');
    db.close();
  });

  afterEach(async () => {
    await dropping.store.close();
    directory.remove();
  });

  /** Reported to both. */
  async function lose(): Promise<Seq> {
    const [seq = 0] = await dropping.append([newRecord()]);
    await dropping.drop(seq);
    return seq;
  }

  /** What the lane of the uplink worker would do with everything that is pending. */
  async function deliver(lane: LaneId): Promise<void> {
    const from = await dropping.store.lanes.open(lane, 'oldest');
    const { records, upTo, damaged } = laneBatch(lane, from, dropping.store.reader.read(lane.stream, from, ALL));
    const rejected = damaged.map((seq) => ({ seq, reason: 'record_damaged', detail: '' }));
    await dropping.store.lanes.settle({ lane, from, upTo, deliveredCount: records.length, rejected });
  }

  const counts = async () =>
    (await dropping.store.client.stats()).lanes
      .filter(({ stream }) => stream === 'gaps')
      .map(({ acceptedCount, rejectedCount, droppedCount, pendingCount }) => [
        acceptedCount,
        rejectedCount,
        droppedCount,
        pendingCount,
      ]);

  it('are each a reject of the uplink that they concern, and of no other', async () => {
    for (const uplink of UPLINKS) await deliver({ uplink, stream: 'gaps' });
    expect(await counts()).toEqual([
      [LOSSES, LOSSES, 0, 0],
      [LOSSES, LOSSES, 0, 0],
    ]);
  });

  it('are each a drop of the uplink that they concern, and of no other', async () => {
    await dropping.store.close();
    const log = openLog(directory.dataDir, {
      now: () => 0,
      elapsed: () => 0,
      quality: () => 'synced',
      bootTime: () => undefined,
    });
    // All other streams are empty.
    while (log.reclaim.removeDelivered(ALL) > 0);
    log.transaction(() => expect(log.reclaim.dropPending('max_bytes', ALL)).toBe(2 * LOSSES));
    log.close();
    dropping = await DroppingStore.open(directory.dataDir);
    for (const uplink of UPLINKS) await deliver({ uplink, stream: 'gaps' });
    // One more each: the report of that.
    expect(await counts()).toEqual([
      [LOSSES + 1, 0, LOSSES, 0],
      [LOSSES + 1, 0, LOSSES, 0],
    ]);
  });
});
