import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/ports.ts';
import type { Seq } from '../../../src/core/record.ts';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

const UPLINKS = ['plant', 'stick'] as const;
const CLOCK = { now: () => 1_000, elapsed: () => 0, quality: () => 'synced' as const, bootTime: () => undefined };
const EVERYTHING = { after: 0, upTo: Number.MAX_SAFE_INTEGER };

const ACTIONS = [
  'deliver',
  'feed',
  'claim',
  'release',
  'skip',
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
  readonly #storedAtBegin = new Map<number, number>();
  #log: Log;

  constructor(dataDir: string) {
    this.#dataDir = dataDir;
    this.#log = openLog(dataDir, CLOCK);
    for (const uplink of UPLINKS) this.#change(() => this.#log.lanes.open(laneOf(uplink), 'oldest'));
  }

  take({ append, act, uplink, size, pick }: Step): void {
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
      drop: () => this.#change(() => this.#log.reclaim.dropPending('max_bytes', limit)),
      remove: () => this.#change(() => this.#log.reclaim.removeDelivered(limit)),
      replay: () => this.#replay(uplink),
      cancel: () => this.#change(() => this.#log.ranges.removeReplay(this.#log.ranges.replayStats()[0]?.id ?? 0)),
      reopen: () => this.#reopen(),
    };
    actions[act]();
  }

  /** Every lane and range, to its end. */
  drain(): void {
    for (const uplink of UPLINKS) {
      for (const { lane } of this.#log.ranges.toSend(uplink)) this.#deliver(lane, Number.POSITIVE_INFINITY);
      this.#deliver(laneOf(uplink), Number.POSITIVE_INFINITY);
    }
  }

  droppedOf(uplink: string): number {
    return this.#log.stats().lanes.find((lane) => lane.uplink === uplink)?.droppedCount ?? 0;
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
      this.appended.push(this.#log.records.append('telemetry', encodeRecord(newRecord(), 0)));
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

  #replay(uplink: string): void {
    if (this.#log.ranges.replayStats().filter(({ isDone }) => !isDone).length >= 16) return;
    const filter = { device: null, from: null, to: null };
    this.#change(() => {
      const { id, after, upTo } = this.#log.addReplay({ ...laneOf(uplink), ...EVERYTHING, ...filter });
      const stored = this.#log.records.oldest('telemetry', { after, upTo }, { maxRecords: 1_000, maxBytes: 1 << 20 });
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
          }
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
