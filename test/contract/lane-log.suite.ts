import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId, LaneLog, LogReader, ReadLimit, Rejection } from '../../src/core/lane-log.ts';
import type { LaneStats, ReplayStore } from '../../src/core/log-stats.ts';
import type { BootStart, NewRecord, Seq } from '../../src/core/record.ts';
import type { Stream } from '../../src/core/stream.ts';
import { newRecord } from '../support/records.ts';
import { waitFor } from '../support/wait-for.ts';
import { laneRangesContract } from './lane-ranges.suite.ts';

export type LaneCounts = Pick<
  LaneStats,
  'cursor' | 'acceptedCount' | 'deliveredCount' | 'rejectedCount' | 'droppedCount' | 'pendingCount'
>;

export interface LaneLogUnderTest {
  readonly laneLog: LaneLog;
  readonly reader: LogReader;
  readonly replays: ReplayStore;
  /** Resolves with the seqs of the records, which are on disk then. */
  append(records: readonly NewRecord[]): Promise<readonly Seq[]>;
  /** The clock was synchronised in that boot. */
  noteSync(boot: BootStart): Promise<void>;
  /** A limit wants all records of the stream up to here gone. Resolves when it has taken what it may take. */
  drop(stream: Stream, upTo: Seq): Promise<void>;
  /** A loss of this uplink is reported in the stream `gaps`. Resolves with the seq of that record. */
  reportGap(uplink: string): Promise<Seq>;
  /** The stored bytes of the record change. */
  damage(stream: Stream, seq: Seq): Promise<void>;
  counts(lane: LaneId): Promise<LaneCounts>;
  /** What was set aside, in the order of the seqs. */
  rejected(lane: LaneId): Promise<readonly Rejection[]>;
  close(): Promise<void>;
}

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const OTHER: LaneId = { uplink: 'stick', stream: 'telemetry' };
const ALL = { maxRecords: 1_000, maxBytes: 1 << 20 };
const WAIT = { timeoutMs: 5_000 };

/** The promises of the ports `LogReader` and `LaneLog`, for every implementation. `make` gives an empty log. */
export function laneLogContract(name: string, make: () => Promise<LaneLogUnderTest>): void {
  describe(`${name} as a LaneLog`, () => {
    let log: LaneLogUnderTest;

    beforeEach(async () => {
      log = await make();
    });

    afterEach(() => log.close());

    const append = (count: number, changes: Partial<NewRecord> = {}): Promise<readonly Seq[]> =>
      log.append(Array.from({ length: count }, () => newRecord(changes)));

    const deliver = async (lane: LaneId, from: Seq, upTo: Seq, count: number): Promise<void> => {
      await log.laneLog.claim(lane, upTo);
      await log.laneLog.settle({ lane, from, upTo, deliveredCount: count, rejected: [] });
    };

    describe('reading', () => {
      it('gives the records behind a seq, oldest first, as they were', async () => {
        const record = newRecord({
          observedAt: 1_700_000_000_000,
          timeQuality: 'corrected',
          value: Buffer.from([0, 255]),
        });
        const [first = 0, second = 0] = await log.append([record, newRecord({ device: 'sensor-2' })]);
        const { records, upTo, damaged } = log.reader.read('telemetry', 0, ALL);
        expect(records.map(({ seq, device }) => [seq, device])).toEqual([
          [first, record.device],
          [second, 'sensor-2'],
        ]);
        expect(records[0]).toMatchObject({ ...record, value: expect.anything() });
        expect(Buffer.from(records[0]?.value ?? [])).toEqual(record.value);
        expect([upTo, damaged]).toEqual([second, []]);
        expect(log.reader.read('telemetry', first, ALL).records.map(({ seq }) => seq)).toEqual([second]);
      });

      it('gives records from before the first synchronisation of their boot with their true times from then on', async () => {
        const [here, before] = ['b'.repeat(32), 'a'.repeat(32)];
        const unsynced = (bootId: string, uptimeMs: number): NewRecord =>
          newRecord({ timeQuality: 'unsynced', observedAt: 5, bootTime: { bootId, uptimeMs } });
        await log.append([unsynced(before, 60_000), unsynced(here, 7_000), unsynced(here, 7_250), newRecord()]);
        const qualities = (): readonly string[] =>
          log.reader.read('telemetry', 0, ALL).records.map(({ timeQuality }) => timeQuality);
        expect(qualities()).toEqual(['unsynced', 'unsynced', 'unsynced', 'synced']);
        await log.noteSync({ bootId: here, startedAt: 1_800_000_000_000 });
        expect(qualities()).toEqual(['unsynced', 'corrected', 'corrected', 'synced']);
        const { records } = log.reader.read('telemetry', 0, ALL);
        expect(records.slice(1, 3)).toMatchObject([
          { receivedAt: 1_800_000_007_000, observedAt: 5 },
          { receivedAt: 1_800_000_007_250, observedAt: 5 },
        ]);
      });

      it('stays where it is when there is nothing', () => {
        expect(log.reader.read('telemetry', 5, ALL)).toEqual({ records: [], upTo: 5, damaged: [], hasMore: false });
      });

      it('keeps streams apart', async () => {
        await append(1, { stream: 'events', eventType: 'door' });
        expect(log.reader.read('telemetry', 0, ALL).records).toEqual([]);
        expect(log.reader.read('events', 0, ALL).records).toHaveLength(1);
      });

      it('gives no more records than asked for, and goes on behind them', async () => {
        const seqs = await append(5);
        const { records, upTo } = log.reader.read('telemetry', 0, { ...ALL, maxRecords: 2 });
        expect(records.map(({ seq }) => seq)).toEqual(seqs.slice(0, 2));
        expect(upTo).toBe(seqs[1]);
      });

      it('keeps to the limit of bytes, but gives one record however large', async () => {
        const seqs = await append(3, { value: Buffer.alloc(4_000, 'x') });
        const read = (maxBytes: number): number[] =>
          log.reader.read('telemetry', 0, { ...ALL, maxBytes }).records.map(({ seq }) => seq);
        expect(read(10)).toEqual(seqs.slice(0, 1));
        expect(read(9_000)).toEqual(seqs.slice(0, 2));
      });

      it('says whether there was more behind what it gives', async () => {
        await append(3, { value: Buffer.from('{"temperature":21.5}') });
        const hasMore = (limit: Partial<ReadLimit>): boolean =>
          log.reader.read('telemetry', 0, { ...ALL, ...limit }).hasMore;
        expect([2, 3, 4].map((maxRecords) => hasMore({ maxRecords }))).toEqual([true, false, false]);
        expect([1, 100, 1_000].map((maxBytes) => hasMore({ maxBytes }))).toEqual([true, true, false]);
      });

      it('names damaged records and reads past them', async () => {
        const seqs = await append(3);
        await log.damage('telemetry', seqs[1] ?? 0);
        const { records, damaged, upTo } = log.reader.read('telemetry', 0, ALL);
        expect(records.map(({ seq }) => seq)).toEqual([seqs[0], seqs[2]]);
        expect(damaged).toEqual([seqs[1]]);
        expect(upTo).toBe(seqs[2]);
      });
    });

    describe('opening a lane', () => {
      it('begins before the oldest record, or behind the newest', async () => {
        const seqs = await append(3);
        expect(await log.laneLog.open(LANE, 'oldest')).toBeLessThan(seqs[0] ?? 0);
        expect(await log.laneLog.open(OTHER, 'now')).toBe(seqs[2]);
        expect(await log.counts(LANE)).toMatchObject({ acceptedCount: 3, pendingCount: 3 });
        expect(await log.counts(OTHER)).toMatchObject({ acceptedCount: 0, pendingCount: 0 });
      });

      it('finds its cursor again, wherever a new lane would begin', async () => {
        const seqs = await append(3);
        const from = await log.laneLog.open(LANE, 'oldest');
        await deliver(LANE, from, seqs[1] ?? 0, 2);
        expect(await log.laneLog.open(LANE, 'oldest')).toBe(seqs[1]);
        expect(await log.laneLog.open(LANE, 'now')).toBe(seqs[1]);
      });

      it('counts what is accepted from then on', async () => {
        await log.laneLog.open(LANE, 'now');
        await append(2);
        expect(await log.counts(LANE)).toMatchObject({ acceptedCount: 2, pendingCount: 2 });
      });
    });

    describe('waiting', () => {
      const outcome = (promise: Promise<void>): { isDone: boolean } => {
        const state = { isDone: false };
        void promise.then(() => {
          state.isDone = true;
        });
        return state;
      };

      it('ends at once when there is a record already', async () => {
        const [seq = 0] = await append(1);
        await log.laneLog.wait(LANE, seq - 1, new AbortController().signal);
      });

      it('ends when a record of its stream arrives, not for another one', async () => {
        const state = outcome(log.laneLog.wait(LANE, 0, new AbortController().signal));
        await append(1, { stream: 'events', eventType: 'door' });
        await log.laneLog.open({ uplink: 'plant', stream: 'events' }, 'oldest');
        expect(state.isDone).toBe(false);
        await append(1);
        await waitFor(() => state.isDone, { ...WAIT, what: 'the wait to end' });
      });

      it('ends when the same lane waits anew, and not when another one does', async () => {
        const [seq = 0] = await append(1);
        const { signal } = new AbortController();
        const first = outcome(log.laneLog.wait(LANE, seq, signal));
        const other = outcome(log.laneLog.wait({ ...LANE, uplink: 'other' }, seq, signal));
        const second = outcome(log.laneLog.wait(LANE, seq, signal));
        await waitFor(() => first.isDone, { ...WAIT, what: 'the first wait to end' });
        expect([other.isDone, second.isDone]).toEqual([false, false]);
      });

      it('ends when it is given up, also when that happened before', async () => {
        const controller = new AbortController();
        const waiting = log.laneLog.wait(LANE, 0, controller.signal);
        controller.abort();
        await waiting;
        await log.laneLog.wait(LANE, 0, controller.signal);
      });
    });

    describe('records in flight', () => {
      it('are not dropped until they are released', async () => {
        const seqs = await append(4);
        const from = await log.laneLog.open(LANE, 'oldest');
        expect(await log.laneLog.claim(LANE, seqs[1] ?? 0)).toBe(from);
        await log.drop('telemetry', seqs[3] ?? 0);
        expect(await log.counts(LANE)).toMatchObject({ cursor: from, droppedCount: 0, pendingCount: 4 });
        expect(log.reader.read('telemetry', from, ALL).records).toHaveLength(4);
        await log.laneLog.release(LANE);
        await log.drop('telemetry', seqs[1] ?? 0);
        expect(await log.counts(LANE)).toMatchObject({ cursor: seqs[1], droppedCount: 2, pendingCount: 2 });
      });

      it('are told where the lane stands when a limit was faster than the claim', async () => {
        const seqs = await append(4);
        await log.laneLog.open(LANE, 'oldest');
        await log.drop('telemetry', seqs[2] ?? 0);
        expect(await log.laneLog.claim(LANE, seqs[3] ?? 0)).toBe(seqs[2]);
      });

      it('stay in flight behind a settlement that settles less', async () => {
        const seqs = await append(4);
        const from = await log.laneLog.open(LANE, 'oldest');
        await log.laneLog.claim(LANE, seqs[1] ?? 0);
        await log.laneLog.claim(LANE, seqs[3] ?? 0);
        await log.laneLog.settle({ lane: LANE, from, upTo: seqs[1] ?? 0, deliveredCount: 2, rejected: [] });
        await log.drop('telemetry', seqs[3] ?? 0);
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 2, droppedCount: 0, pendingCount: 2 });
      });

      it('are free once they are settled', async () => {
        const seqs = await append(2);
        const from = await log.laneLog.open(LANE, 'oldest');
        await deliver(LANE, from, seqs[0] ?? 0, 1);
        await log.drop('telemetry', seqs[1] ?? 0);
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 1, droppedCount: 1, pendingCount: 0 });
      });
    });

    describe('settling', () => {
      it('moves the cursor and counts', async () => {
        const seqs = await append(5);
        const from = await log.laneLog.open(LANE, 'oldest');
        await deliver(LANE, from, seqs[2] ?? 0, 3);
        await deliver(LANE, seqs[2] ?? 0, seqs[3] ?? 0, 1);
        expect(await log.counts(LANE)).toEqual({
          cursor: seqs[3],
          acceptedCount: 5,
          deliveredCount: 4,
          rejectedCount: 0,
          droppedCount: 0,
          pendingCount: 1,
        });
      });

      it('keeps what was rejected, with its reason', async () => {
        const seqs = await append(3);
        const from = await log.laneLog.open(LANE, 'oldest');
        const rejected = [{ seq: seqs[1] ?? 0, reason: 'message_too_large', detail: 'more than the topic takes' }];
        await log.laneLog.claim(LANE, seqs[2] ?? 0);
        await log.laneLog.settle({ lane: LANE, from, upTo: seqs[2] ?? 0, deliveredCount: 2, rejected });
        expect(await log.counts(LANE)).toMatchObject({ deliveredCount: 2, rejectedCount: 1, pendingCount: 0 });
        expect(await log.rejected(LANE)).toEqual(rejected);
      });

      it('refuses what does not begin at the cursor, and changes nothing', async () => {
        const seqs = await append(2);
        const from = await log.laneLog.open(LANE, 'oldest');
        await deliver(LANE, from, seqs[0] ?? 0, 1);
        const stale = { lane: LANE, from, upTo: seqs[1] ?? 0, deliveredCount: 2, rejected: [] };
        await expect(log.laneLog.settle(stale)).rejects.toThrow();
        expect(await log.counts(LANE)).toMatchObject({ cursor: seqs[0], deliveredCount: 1, pendingCount: 1 });
      });

      it('leaves other uplinks where they are', async () => {
        const seqs = await append(2);
        const from = await log.laneLog.open(LANE, 'oldest');
        await log.laneLog.open(OTHER, 'oldest');
        await deliver(LANE, from, seqs[1] ?? 0, 2);
        expect(await log.counts(OTHER)).toMatchObject({ deliveredCount: 0, pendingCount: 2 });
      });
    });

    it('counts a gap only for the uplink that it concerns', async () => {
      const mine: LaneId = { uplink: 'plant', stream: 'gaps' };
      const from = await log.laneLog.open(mine, 'oldest');
      await log.reportGap('plant');
      const last = await log.reportGap('stick');
      expect(await log.counts(mine)).toMatchObject({ acceptedCount: 1, pendingCount: 1 });
      await deliver(mine, from, last, 1);
      expect(await log.counts(mine)).toMatchObject({ deliveredCount: 1, pendingCount: 0 });
    });

    it('accounts for every record, whatever happens in whatever order', async () => {
      const step = fc.record({
        append: fc.nat({ max: 4 }),
        act: fc.constantFrom('deliver', 'reject', 'drop', 'release', 'skip', 'backfill'),
        share: fc.double({ min: 0, max: 1, noNaN: true }),
      });
      await log.laneLog.open(LANE, 'oldest');
      const appended: Seq[] = [];
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
          for (const { append: count, act, share } of steps) {
            appended.push(...(await append(count)));
            await take(act, share);
            const { acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount } = await log.counts(LANE);
            expect(acceptedCount).toBe(appended.length);
            expect(deliveredCount + rejectedCount + droppedCount + pendingCount).toBe(acceptedCount);
          }
        }),
        { numRuns: 20 },
      );

      async function take(act: string, share: number): Promise<void> {
        const { cursor } = await log.counts(LANE);
        const { records } = log.reader.read('telemetry', cursor, ALL);
        const chosen = records.slice(0, Math.ceil(records.length * share));
        const upTo = chosen.at(-1)?.seq;
        if (act === 'release') await log.laneLog.release(LANE);
        else if (act === 'skip') await log.laneLog.skipAhead(LANE);
        else if (act === 'backfill') await backfill(share);
        else if (upTo === undefined) return;
        else if (act === 'drop') await log.drop('telemetry', upTo);
        else {
          const rejected =
            act === 'reject' ? chosen.map(({ seq }) => ({ seq, reason: 'invalid_record', detail: '' })) : [];
          const from = await log.laneLog.claim(LANE, upTo);
          const deliveredCount = chosen.length - rejected.length;
          await log.laneLog.settle({ lane: LANE, from, upTo, deliveredCount, rejected });
        }
      }

      async function backfill(share: number): Promise<void> {
        const [range] = await log.laneLog.ranges('plant');
        if (range === undefined) return;
        const cursor = await log.laneLog.open(range.lane, 'oldest');
        const rows = log.reader.read('telemetry', cursor, ALL).records.filter(({ seq }) => seq <= range.upTo);
        const chosen = rows.slice(0, Math.ceil(rows.length * share));
        const upTo = chosen.at(-1)?.seq ?? cursor;
        const from = await log.laneLog.claim(range.lane, upTo);
        await log.laneLog.settle({ lane: range.lane, from, upTo, deliveredCount: chosen.length, rejected: [] });
      }
    });
  });
  laneRangesContract(name, make);
}
