import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { NewReplay } from '../../../src/core/log-stats.ts';
import type { Seq } from '../../../src/core/record.ts';
import { encodeRecord, readRecord } from '../../../src/core/record-codec.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const EVENTS: LaneId = { uplink: 'plant', stream: 'events' };
const REPLAY: NewReplay = {
  ...{ uplink: 'plant', stream: 'telemetry' },
  ...{ after: 0, upTo: 1_000_000, device: 'a', from: 5, to: 9 },
};
const CHUNK = { maxRecords: 100, maxBytes: 1 << 20 };
const CLOCK = { now: () => 1_000, elapsed: () => 0, quality: () => 'synced' as const, bootTime: () => undefined };

describe('ranges', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;

  beforeEach(() => {
    directory = storeDirectory();
    log = openLog(directory.dataDir, CLOCK);
    log.transaction(() => [LANE, EVENTS].map((lane) => log.lanes.open(lane, 'oldest')));
  });

  afterEach(() => {
    log.close();
    expect(countStore(directory.dataDir).problems).toEqual([]);
    directory.remove();
  });

  const append = (count: number, { stream }: LaneId = LANE): Seq => {
    let last = 0;
    log.transaction(() => {
      for (let n = 0; n < count; n += 1) last = log.records.append(stream, encodeRecord(newRecord({ stream }), 0));
    });
    return last;
  };

  const skip = (): void => log.transaction(() => void log.skipAhead(LANE));

  const deliver = (lane: LaneId, upTo: Seq, deliveredCount: number): void => {
    const from = log.lanes.claim(lane, upTo);
    log.transaction(() => log.settle({ lane, from, upTo, deliveredCount, rejected: [] }));
  };

  /** As after an outage with something skipped, and a fresh record delivered behind it. */
  const outage = (): void => {
    append(1);
    skip();
    deliver(LANE, append(1), 1);
  };

  const reopen = (): void => {
    log.close();
    log = openLog(directory.dataDir, CLOCK, log.records.lastSeq);
  };

  it('survive a restart, as do the counts of replays', () => {
    outage();
    const { id } = replay();
    const [backfill, running] = log.ranges.toSend('plant');
    if (backfill === undefined || running === undefined) throw new Error('no ranges');
    deliver(running.lane, 1, 1);
    const before = [log.ranges.toSend('plant'), log.ranges.replayStats(), log.ranges.backfillStats()];
    reopen();
    expect([log.ranges.toSend('plant'), log.ranges.replayStats(), log.ranges.backfillStats()]).toEqual(before);
    expect(log.ranges.replayStats()).toMatchObject([{ id, cursor: 1, deliveredCount: 1, device: 'a', from: 5, to: 9 }]);
    expect(log.totals.stats()).toEqual([{ uplink: 'plant', replayedCount: 1, sent: null }]);
  });

  it('never get the id of one that is gone', () => {
    outage();
    const { id } = replay();
    log.transaction(() => void log.ranges.removeReplay(id));
    reopen();
    expect(replay().id).toBeGreaterThan(id);
  });

  it('are as on disk again when the transaction fails', () => {
    append(1);
    const fail = () => {
      log.skipAhead(LANE);
      throw new Error('the disk');
    };
    expect(() => log.transaction(fail)).toThrow('the disk');
    expect(log.ranges.toSend('plant')).toEqual([]);
    expect(log.lanes.cursorOf(LANE)).toBe(0);
  });

  it('of outages are bounded in number: beyond that a lane goes on in order', () => {
    for (let n = 0; n < 256; n += 1) outage();
    const cursor = log.lanes.cursorOf(LANE);
    append(1);
    skip();
    expect(log.lanes.cursorOf(LANE)).toBe(cursor);
    expect(log.ranges.toSend('plant')).toHaveLength(256);
  });

  it('of replays are bounded in number, those that are done too', () => {
    outage();
    const first = replay();
    for (let n = 1; n < 16; n += 1) replay();
    expect(replay).toThrow(expect.objectContaining({ code: 'too_many_replays' }));
    log.transaction(() => void log.ranges.removeReplay(first.id));
    replay();
    const empty = { ...REPLAY, after: 1_000_000 };
    for (let n = 0; n < 120; n += 1) {
      log.transaction(() => void log.ranges.removeReplay(log.ranges.toSend('plant').at(-1)?.lane.range?.id ?? 0));
      log.transaction(() => void log.addReplay(empty));
      replay();
    }
    expect(log.ranges.replayStats().filter(({ isDone }) => isDone)).toHaveLength(100);
  });

  it('tell what a lane waits for longest, once nothing older is in them', () => {
    const oldest = () => log.stats().lanes.find(({ stream }) => stream === 'telemetry')?.oldestPendingAt;
    const [old, fresh] = [newRecord({ receivedAt: 10 }), newRecord({ receivedAt: 20 })];
    log.transaction(() => void log.records.append('telemetry', encodeRecord(old, 0)));
    skip();
    log.transaction(() => void log.records.append('telemetry', encodeRecord(fresh, 0)));
    expect(oldest()).toBe(10);
    deliver(LANE, log.records.lastSeq, 1);
    expect(oldest()).toBe(10);
    const [backfill] = log.ranges.toSend('plant');
    if (backfill !== undefined) deliver(backfill.lane, backfill.upTo, 1);
    expect(oldest()).toBeNull();
  });

  it('spare the more precious streams while a backfill has a batch in flight', () => {
    append(4);
    skip();
    const [backfill] = log.ranges.toSend('plant');
    if (backfill === undefined) throw new Error('no backfill');
    append(2, EVENTS);
    log.lanes.claim(LANE, append(1));
    log.lanes.claim(backfill.lane, 2);
    let dropped = 0;
    log.transaction(() => {
      dropped = log.reclaim.dropPending('max_bytes', CHUNK);
    });
    expect([dropped, log.reclaim.awaited()]).toEqual([0, 'telemetry']);
    log.lanes.release(backfill.lane);
    log.transaction(() => {
      dropped = log.reclaim.dropPending('max_bytes', CHUNK);
    });
    expect(dropped).toBe(4);
  });

  it('are each in a gap of their own, when a limit takes them with what was delivered between them', () => {
    for (const count of [4, 4]) {
      append(count);
      skip();
      deliver(LANE, append(3), 3);
    }
    log.transaction(() => expect(log.reclaim.dropPending('max_bytes', CHUNK)).toBe(14));
    const gaps = log.records
      .oldest('gaps', { after: 0, upTo: Number.MAX_SAFE_INTEGER }, CHUNK)
      .map(({ seq, body }) => JSON.parse(Buffer.from(readRecord('gaps', seq, body).value).toString()));
    expect(gaps).toMatchObject([
      { first_seq: 1, last_seq: 4, count: 4 },
      { first_seq: 8, last_seq: 11, count: 4 },
    ]);
  });

  it('hold up what a lane has done with until they are done too', () => {
    append(2);
    skip();
    deliver(LANE, append(2), 2);
    const removed = () => {
      let count = 0;
      log.transaction(() => {
        count = log.reclaim.removeDelivered(CHUNK);
      });
      return count;
    };
    expect(removed()).toBe(0);
    const [backfill] = log.ranges.toSend('plant');
    if (backfill === undefined) throw new Error('no backfill');
    deliver(backfill.lane, 1, 1);
    expect(removed()).toBe(1);
    deliver(backfill.lane, 2, 1);
    expect(removed()).toBe(3);
  });

  function replay() {
    let made = log.ranges.replayStats()[0];
    log.transaction(() => {
      made = log.addReplay(REPLAY);
    });
    if (made === undefined) throw new Error('no replay');
    return made;
  }
});
