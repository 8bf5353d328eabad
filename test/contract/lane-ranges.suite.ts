import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId, LaneRange } from '../../src/core/lane-log.ts';
import type { NewReplay } from '../../src/core/log-stats.ts';
import type { NewRecord, Seq } from '../../src/core/record.ts';
import { newRecord } from '../support/records.ts';
import type { LaneLogUnderTest } from './lane-log.suite.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const OTHER: LaneId = { uplink: 'stick', stream: 'telemetry' };
const ALL = { maxRecords: 1_000, maxBytes: 1 << 20 };
const EVERYTHING: NewReplay = {
  ...{ uplink: 'plant', stream: 'telemetry' },
  ...{ after: 0, upTo: Number.MAX_SAFE_INTEGER, device: null, from: null, to: null },
};

/** What is sent beside a lane: backfills and replays. A part of the contract of `LaneLog`, and that of `ReplayStore`. */
export function laneRangesContract(name: string, make: () => Promise<LaneLogUnderTest>): void {
  describe(`${name}, beside its lanes,`, () => {
    let log: LaneLogUnderTest;

    beforeEach(async () => {
      log = await make();
      await log.laneLog.open(LANE, 'oldest');
    });

    afterEach(() => log.close());

    const append = (count: number, changes: Partial<NewRecord> = {}): Promise<readonly Seq[]> =>
      log.append(Array.from({ length: count }, () => newRecord(changes)));

    const settle = async (lane: LaneId, upTo: Seq, deliveredCount: number): Promise<void> => {
      const from = await log.laneLog.claim(lane, upTo);
      await log.laneLog.settle({ lane, from, upTo, deliveredCount, rejected: [] });
    };

    const ranges = (): Promise<readonly LaneRange[]> => log.laneLog.ranges('plant');

    const onlyRange = async (): Promise<LaneRange> => {
      const [range, ...others] = await ranges();
      if (range === undefined || others.length > 0) throw new Error(`${others.length + 1} ranges instead of one`);
      return range;
    };

    describe('a backfill', () => {
      it('holds what a lane skipped, which stays pending', async () => {
        const seqs = await append(3);
        const from = await log.laneLog.open(LANE, 'oldest');
        expect(await log.laneLog.skipAhead(LANE)).toBe(seqs[2]);
        expect(await log.counts(LANE)).toMatchObject({ cursor: seqs[2], acceptedCount: 3, pendingCount: 3 });
        const { lane, upTo } = await onlyRange();
        expect(lane).toMatchObject({ ...LANE, range: { kind: 'backfill' } });
        expect([await log.laneLog.open(lane, 'now'), upTo]).toEqual([from, seqs[2]]);
      });

      it('is not made of nothing', async () => {
        const [seq = 0] = await append(1);
        await settle(LANE, seq, 1);
        expect(await log.laneLog.skipAhead(LANE)).toBe(seq);
        expect(await ranges()).toEqual([]);
      });

      it('is delivered beside its lane, and counted as its lane’s', async () => {
        const seqs = await append(3);
        await log.laneLog.skipAhead(LANE);
        const [fresh = 0] = await append(1);
        const { lane } = await onlyRange();
        await settle(LANE, fresh, 1);
        await settle(lane, seqs[0] ?? 0, 1);
        expect(await log.counts(LANE)).toMatchObject({ cursor: fresh, deliveredCount: 2, pendingCount: 2 });
        expect(await log.laneLog.open(lane, 'oldest')).toBe(seqs[0]);
      });

      it('keeps aside what is rejected, as its lane does', async () => {
        const [seq = 0] = await append(1);
        const from = await log.laneLog.open(LANE, 'oldest');
        await log.laneLog.skipAhead(LANE);
        const { lane } = await onlyRange();
        const rejected = [{ seq, reason: 'invalid_record', detail: 'of no use' }];
        await log.laneLog.settle({ lane, from, upTo: seq, deliveredCount: 0, rejected });
        expect(await log.counts(LANE)).toMatchObject({ rejectedCount: 1, pendingCount: 0 });
        expect(await log.rejected(LANE)).toEqual(rejected);
      });

      it('is gone once it is done, and says so to who still feeds it', async () => {
        const seqs = await append(2);
        await log.laneLog.skipAhead(LANE);
        const { lane } = await onlyRange();
        await settle(lane, seqs[1] ?? 0, 2);
        expect(await ranges()).toEqual([]);
        const gone = { code: 'range_gone' };
        await expect(log.laneLog.open(lane, 'oldest')).rejects.toMatchObject(gone);
        await expect(log.laneLog.claim(lane, seqs[1] ?? 0)).rejects.toMatchObject(gone);
        await log.laneLog.release(lane);
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 2, pendingCount: 0 });
      });

      it('refuses a settlement that does not begin at its cursor', async () => {
        const seqs = await append(2);
        const from = await log.laneLog.open(LANE, 'oldest');
        await log.laneLog.skipAhead(LANE);
        const { lane } = await onlyRange();
        await settle(lane, seqs[0] ?? 0, 1);
        const stale = { lane, from, upTo: seqs[1] ?? 0, deliveredCount: 2, rejected: [] };
        await expect(log.laneLog.settle(stale)).rejects.toThrow();
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 1, pendingCount: 1 });
      });

      it('stands behind those of earlier outages', async () => {
        const first = await append(2);
        await log.laneLog.skipAhead(LANE);
        const [fresh = 0] = await append(1);
        await settle(LANE, fresh, 1);
        const second = await append(2);
        await log.laneLog.skipAhead(LANE);
        expect((await ranges()).map(({ upTo }) => upTo)).toEqual([first[1], second[1]]);
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 1, pendingCount: 4 });
      });

      it('grows when nothing was delivered since', async () => {
        await append(2);
        await log.laneLog.skipAhead(LANE);
        const second = await append(2);
        await log.laneLog.skipAhead(LANE);
        expect((await onlyRange()).upTo).toBe(second[1]);
        expect(await log.counts(LANE)).toMatchObject({ pendingCount: 4 });
      });

      it('loses to a limit what is in it, and that alone', async () => {
        const seqs = await append(3);
        await log.laneLog.skipAhead(LANE);
        const [fresh = 0, second = 0] = await append(2);
        await settle(LANE, fresh, 1);
        const { lane } = await onlyRange();
        await log.drop('telemetry', seqs[1] ?? 0);
        expect(await log.counts(LANE)).toMatchObject({ droppedCount: 2, deliveredCount: 1, pendingCount: 2 });
        expect(await log.laneLog.open(lane, 'oldest')).toBe(seqs[1]);
        await log.drop('telemetry', second);
        expect(await log.counts(LANE)).toMatchObject({ cursor: second, droppedCount: 4, pendingCount: 0 });
        expect(await ranges()).toEqual([]);
      });

      it('keeps what it has in flight from limits, and lets go of it', async () => {
        const seqs = await append(2);
        await log.laneLog.skipAhead(LANE);
        const [fresh = 0] = await append(1);
        await settle(LANE, fresh, 1);
        const { lane } = await onlyRange();
        await log.laneLog.claim(lane, seqs[0] ?? 0);
        await log.drop('telemetry', fresh);
        expect(await log.counts(LANE)).toMatchObject({ droppedCount: 0, pendingCount: 2 });
        expect(log.reader.read('telemetry', 0, ALL).records).toHaveLength(3);
        await log.laneLog.release(lane);
        await log.drop('telemetry', fresh);
        expect(await log.counts(LANE)).toMatchObject({ droppedCount: 2, deliveredCount: 1, pendingCount: 0 });
      });

      it('leaves other uplinks where they are', async () => {
        await log.laneLog.open(OTHER, 'oldest');
        await append(2);
        await log.laneLog.skipAhead(LANE);
        expect(await log.laneLog.ranges('stick')).toEqual([]);
        expect(await log.counts(OTHER)).toMatchObject({ deliveredCount: 0, pendingCount: 2 });
      });
    });

    describe('a replay', () => {
      const deliverAll = async (changes: Partial<NewRecord>[]): Promise<readonly Seq[]> => {
        const seqs = await log.append(changes.map((change) => newRecord(change)));
        await settle(LANE, seqs.at(-1) ?? 0, seqs.length);
        return seqs;
      };

      it('ends at the cursor of its lane: what is behind it is to come', async () => {
        const [, last = 0] = await deliverAll([{}, {}]);
        await append(1);
        const replay = await log.replays.addReplay(EVERYTHING);
        expect(replay).toMatchObject({ after: 0, cursor: 0, upTo: last, isDone: false, deliveredCount: 0 });
        expect(await log.replays.replays()).toEqual([replay]);
        const { lane, upTo, filter } = await onlyRange();
        expect(lane).toEqual({ ...LANE, range: { kind: 'replay', id: replay.id } });
        expect([upTo, filter]).toEqual([last, { device: null, from: null, to: null }]);
      });

      it('counts for itself alone', async () => {
        const [first = 0, last = 0] = await deliverAll([{}, {}]);
        const { id } = await log.replays.addReplay(EVERYTHING);
        const before = await log.counts(LANE);
        const { lane } = await onlyRange();
        await settle(lane, first, 1);
        const rejected = [{ seq: last, reason: 'invalid_record', detail: '' }];
        await log.laneLog.settle({ lane, from: first, upTo: last, deliveredCount: 0, rejected });
        expect(await log.counts(LANE)).toEqual(before);
        expect(await log.rejected(LANE)).toEqual([]);
        const done = { id, cursor: last, isDone: true, deliveredCount: 1, rejectedCount: 1, removedCount: 0 };
        expect(await log.replays.replays()).toMatchObject([done]);
        expect(await ranges()).toEqual([]);
      });

      it('stands behind backfills', async () => {
        await deliverAll([{}]);
        const { id } = await log.replays.addReplay(EVERYTHING);
        await append(2);
        await log.laneLog.skipAhead(LANE);
        const inOrder = (await ranges()).map(({ lane }) => lane.range);
        expect(inOrder).toMatchObject([{ kind: 'backfill' }, { kind: 'replay', id }]);
      });

      it('holds up no limit, and says what was removed of what it would have sent', async () => {
        const devices = [{ device: 'a' }, { device: 'b' }, { device: 'a' }, { device: 'a' }];
        const seqs = await deliverAll(devices);
        await log.replays.addReplay({ ...EVERYTHING, device: 'a' });
        await log.drop('telemetry', seqs[2] ?? 0);
        expect(await log.replays.replays()).toMatchObject([{ cursor: seqs[2], removedCount: 2, isDone: false }]);
        await log.drop('telemetry', seqs[3] ?? 0);
        expect(await log.replays.replays()).toMatchObject([{ cursor: seqs[3], removedCount: 3, isDone: true }]);
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 4, droppedCount: 0, pendingCount: 0 });
      });

      it('keeps only what it has in flight', async () => {
        const seqs = await deliverAll([{}, {}]);
        await log.replays.addReplay(EVERYTHING);
        const { lane } = await onlyRange();
        await log.laneLog.claim(lane, seqs[0] ?? 0);
        await log.drop('telemetry', seqs[1] ?? 0);
        expect(await log.replays.replays()).toMatchObject([{ cursor: 0, removedCount: 0 }]);
        await settle(lane, seqs[0] ?? 0, 1);
        await log.drop('telemetry', seqs[1] ?? 0);
        expect(await log.replays.replays()).toMatchObject([{ deliveredCount: 1, removedCount: 1, isDone: true }]);
      });

      it('of nothing is done at once', async () => {
        const [seq = 0] = await deliverAll([{}]);
        const replay = await log.replays.addReplay({ ...EVERYTHING, after: seq + 5, upTo: seq + 9 });
        expect(replay.isDone).toBe(true);
        expect(await ranges()).toEqual([]);
      });

      it('can be cancelled, and is unknown then', async () => {
        const [seq = 0] = await deliverAll([{}]);
        const { id } = await log.replays.addReplay(EVERYTHING);
        const { lane } = await onlyRange();
        expect(await log.replays.removeReplay(id)).toBe(true);
        expect(await log.replays.removeReplay(id)).toBe(false);
        expect([await ranges(), await log.replays.replays()]).toEqual([[], []]);
        await expect(log.laneLog.claim(lane, seq)).rejects.toMatchObject({ code: 'range_gone' });
      });

      it('needs a lane to send', async () => {
        const stranger = log.replays.addReplay({ ...EVERYTHING, stream: 'state' });
        await expect(stranger).rejects.toMatchObject({ code: 'unknown_lane' });
      });
    });

    it('counts what settlements took on the wire, each day for itself', async () => {
      const [first = 0, second = 0, third = 0] = await append(3);
      const from = await log.laneLog.open(LANE, 'oldest');
      const step = { lane: LANE, deliveredCount: 1, rejected: [] };
      await log.laneLog.settle({ ...step, from, upTo: first, sent: { day: 20_000, bytes: 100 } });
      await log.laneLog.settle({ ...step, from: first, upTo: second, sent: { day: 20_000, bytes: 50 } });
      expect(await log.laneLog.sentBytes('plant', 20_000)).toBe(150);
      await log.laneLog.settle({ ...step, from: second, upTo: third, sent: { day: 20_001, bytes: 7 } });
      expect(await log.laneLog.sentBytes('plant', 20_001)).toBe(7);
      expect(await log.laneLog.sentBytes('stick', 20_001)).toBe(0);
    });
  });
}
