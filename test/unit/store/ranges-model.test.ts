import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Gap, GapReason } from '../../../src/core/gap.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { LaneStats } from '../../../src/core/log-stats.ts';
import type { Seq } from '../../../src/core/record.ts';
import { encodeRecord, readRecord } from '../../../src/core/record-codec.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { type Entry, problemsOf } from '../../support/accounts.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

const UPLINKS = ['plant', 'stick'] as const;
const CLOCK = { now: () => 1_000, elapsed: () => 0, quality: () => 'synced' as const, bootTime: () => undefined };
const EVERYTHING = { after: 0, upTo: Number.MAX_SAFE_INTEGER };
const ALL = { maxRecords: 1_000, maxBytes: 1 << 20 };
const DEVICES = ['kitchen', 'cellar'] as const;

/** Of the limits that take what is pending. */
const REASONS = ['max_bytes', 'max_age', 'disk_reserve'] as const;
/** The limit of age, in records: each is a millisecond younger than the one before it. */
const MAX_AGE = 40;

const ACTIONS = [
  'deliver',
  'feed',
  'claim',
  'release',
  'skip',
  'outage',
  'drop',
  'remove',
  'replay',
  'cancel',
  'reopen',
] as const;

const step = fc.record({
  append: fc.nat({ max: 6 }),
  act: fc.constantFrom(...ACTIONS),
  uplink: fc.constantFrom(...UPLINKS),
  reason: fc.constantFrom(...REASONS),
  size: fc.integer({ min: 1, max: 9 }),
  pick: fc.nat(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Two uplinks at work on a real log, and what came out of it. */
class Model {
  readonly #dataDir: string;
  /** Of the stream, in order. */
  readonly appended: Seq[] = [];
  /** By uplink: what its lane and its backfills delivered, in order. */
  readonly delivered = new Map<string, Seq[]>(UPLINKS.map((uplink) => [uplink, []]));
  /** Of both uplinks, those that a limit took away again too. */
  readonly gaps: Gap[] = [];
  readonly #storedAtBegin = new Map<number, number>();
  #log: Log;
  #lastGap: Seq = 0;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#log = openLog(dataDir, CLOCK);
    for (const uplink of UPLINKS) {
      for (const stream of ['telemetry', 'gaps'] as const)
        this.#change(() => this.#log.lanes.open({ uplink, stream }, 'oldest'));
    }
  }

  take({ append, act, uplink, reason, size, pick }: Step): void {
    this.#change(() => this.#append(append));
    const lane = laneOf(uplink);
    const feeds = [lane, ...this.#log.ranges.toSend(uplink).map((range) => range.lane)];
    const feed = feeds[pick % feeds.length] ?? lane;
    const limit = { maxRecords: size, maxBytes: 1 << 20 };
    const actions: Readonly<Record<(typeof ACTIONS)[number], () => void>> = {
      deliver: () => this.#deliver(lane, size),
      feed: () => this.#deliver(feed, size),
      claim: () => this.#claim(feed, size),
      release: () => this.#log.lanes.release(feed),
      skip: () => this.#change(() => this.#log.skipAhead(lane)),
      outage: () => this.#outage(lane),
      drop: () => this.#drop(reason, 3 * size, pick % MAX_AGE),
      remove: () => this.#change(() => this.#log.reclaim.removeDelivered(limit)),
      replay: () => this.#replay(uplink),
      cancel: () => this.#change(() => this.#log.ranges.removeReplay(this.#log.ranges.replayStats()[0]?.id ?? 0)),
      reopen: () => this.#reopen(),
    };
    actions[act]();
    this.#noteGaps();
  }

  /** Every lane and range, to its end. */
  drain(): void {
    for (const uplink of UPLINKS) {
      for (const { lane } of this.#log.ranges.toSend(uplink)) this.#deliver(lane, Number.POSITIVE_INFINITY);
      this.#deliver(laneOf(uplink), Number.POSITIVE_INFINITY);
    }
  }

  droppedOf(uplink: string): number {
    return this.#statsOf(uplink)?.droppedCount ?? 0;
  }

  /** What the lane counts and what the gaps say, for each limit. */
  dropsByReason(uplink: string): { readonly counted: readonly number[]; readonly told: readonly number[] } {
    const gaps = this.#gapsOf(uplink);
    const told = (reason: GapReason): number =>
      gaps.filter((gap) => gap.reason === reason).reduce((sum, { count }) => sum + count, 0);
    const counted = this.#statsOf(uplink)?.droppedByReason ?? {};
    return { counted: REASONS.map((reason) => counted[reason] ?? 0), told: REASONS.map(told) };
  }

  /** What of the uplink's records neither arrived nor is in exactly one gap whose count is right. */
  unaccountedFor(uplink: string): string[] {
    const delivered = (this.delivered.get(uplink) ?? []).map(entryOf);
    return problemsOf(this.appended.map(entryOf), delivered, this.#gapsOf(uplink));
  }

  /** For each replay that is done: what it sent and what was removed is what was there when it began. */
  replaysAddUp(): boolean {
    const done = this.#log.ranges.replayStats().filter(({ isDone }) => isDone);
    return done.every(
      ({ id, deliveredCount, removedCount }) => deliveredCount + removedCount === this.#storedAtBegin.get(id),
    );
  }

  close(): void {
    this.#log.close();
  }

  #append(count: number): void {
    for (let n = 0; n < count; n += 1) {
      const seq = this.#log.records.lastSeq + 1;
      const record = newRecord({ device: deviceOf(seq), receivedAt: seq });
      this.appended.push(this.#log.records.append('telemetry', encodeRecord(record, 0)));
    }
  }

  /** `age`: how many records are too young for the limit of age. */
  #drop(reason: (typeof REASONS)[number], maxRecords: number, age: number): void {
    const olderThan = reason === 'max_age' ? this.#log.records.lastSeq - age : Number.POSITIVE_INFINITY;
    this.#change(() => this.#log.reclaim.dropPending(reason, { maxRecords, maxBytes: 1 << 20 }, olderThan));
  }

  #gapsOf(uplink: string): Gap[] {
    return this.gaps.filter((gap) => gap.uplink === uplink && gap.stream === 'telemetry');
  }

  #statsOf(uplink: string): LaneStats | undefined {
    return this.#log.stats().lanes.find((lane) => lane.uplink === uplink && lane.stream === 'telemetry');
  }

  #noteGaps(): void {
    for (const { seq, body } of this.#log.records.oldest('gaps', { ...EVERYTHING, after: this.#lastGap }, ALL)) {
      this.gaps.push(JSON.parse(Buffer.from(readRecord('gaps', seq, body).value).toString()) as Gap);
      this.#lastGap = seq;
    }
  }

  /** The next records of the feed, in flight. */
  #claim(feed: LaneId, size: number): { from: Seq; seqs: readonly Seq[] } {
    const end = this.#log.ranges.toSend(feed.uplink).find(({ lane }) => lane.range?.id === feed.range?.id)?.upTo;
    const cursor = this.#log.lanes.open(feed, 'oldest');
    const range = { after: cursor, upTo: feed.range === undefined ? Number.MAX_SAFE_INTEGER : (end ?? 0) };
    const seqs = this.#log.records
      .oldest('telemetry', range, { maxRecords: size, maxBytes: 1 << 20 })
      .map(({ seq }) => seq);
    return { from: this.#log.lanes.claim(feed, seqs.at(-1) ?? cursor), seqs };
  }

  #deliver(feed: LaneId, size: number): void {
    const { from, seqs } = this.#claim(feed, size);
    const upTo = seqs.at(-1);
    if (upTo === undefined) return;
    const settlement = { lane: feed, from, upTo, deliveredCount: seqs.length, rejected: [] };
    this.#change(() => this.#log.settle(settlement));
    if (feed.range?.kind !== 'replay') this.delivered.get(feed.uplink)?.push(...seqs);
  }

  /** Something is skipped, and a fresh record delivered behind it. */
  #outage(lane: LaneId): void {
    this.#change(() => this.#log.skipAhead(lane));
    this.#change(() => this.#append(1));
    this.#deliver(lane, 1);
  }

  #replay(uplink: string): void {
    if (this.#log.ranges.replayStats().filter(({ isDone }) => !isDone).length >= 16) return;
    const filter = { device: null, from: null, to: null };
    this.#change(() => {
      const { id, after, upTo } = this.#log.addReplay({ ...laneOf(uplink), ...EVERYTHING, ...filter });
      const stored = this.#log.records.oldest('telemetry', { after, upTo }, ALL);
      this.#storedAtBegin.set(id, stored.length);
    });
  }

  #reopen(): void {
    this.#log.close();
    this.#log = openLog(this.#dataDir, CLOCK, this.#log.records.lastSeq);
  }

  #change(work: () => unknown): void {
    this.#log.transaction(() => void work());
  }
}

function laneOf(uplink: string): LaneId {
  return { uplink, stream: 'telemetry' };
}

function deviceOf(seq: Seq): string {
  return DEVICES[seq % DEVICES.length] ?? '';
}

function entryOf(seq: Seq): Entry {
  return { device: deviceOf(seq), stream: 'telemetry', seq };
}

describe('lanes, backfills, replays and limits together', () => {
  it('account for every record once, whatever happens in whatever order', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const { dataDir, remove } = storeDirectory();
        const model = new Model(dataDir);
        try {
          for (const each of steps) {
            model.take(each);
            expect(countStore(dataDir).problems).toEqual([]);
          }
          model.drain();
          expect(countStore(dataDir).lanes.filter(({ stream }) => stream === 'telemetry')).toMatchObject(
            UPLINKS.map(() => ({ pendingCount: 0 })),
          );
          for (const uplink of UPLINKS) {
            const delivered = model.delivered.get(uplink) ?? [];
            expect(new Set(delivered).size).toBe(delivered.length);
            expect(delivered.length + model.droppedOf(uplink)).toBe(model.appended.length);
            expect(model.unaccountedFor(uplink)).toEqual([]);
            const { counted, told } = model.dropsByReason(uplink);
            expect(told).toEqual(counted);
          }
          // A loss must not be forgotten because it was long ago.
          expect(model.gaps.filter(({ stream, reason }) => stream === 'gaps' && reason === 'max_age')).toEqual([]);
          expect(model.replaysAddUp()).toBe(true);
        } finally {
          model.close();
          remove();
        }
      }),
      { numRuns: 40 },
    );
  });
});
