import { SluiceError } from '../../src/core/errors.ts';
import type {
  Batch,
  LaneId,
  LaneLog,
  LaneRange,
  LogReader,
  ReadLimit,
  Rejection,
  Settlement,
} from '../../src/core/lane-log.ts';
import type { NewReplay, ReplayStats, ReplayStore } from '../../src/core/log-stats.ts';
import type { BootStart, NewRecord, Seq, StoredRecord } from '../../src/core/record.ts';
import { encodeRecord } from '../../src/core/record-codec.ts';
import type { Stream } from '../../src/core/stream.ts';
import { corrected } from './corrected.ts';

export interface LaneCounts {
  readonly cursor: Seq;
  readonly acceptedCount: number;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  readonly droppedCount: number;
  readonly pendingCount: number;
}

interface FakeLane {
  readonly id: LaneId;
  cursor: Seq;
  claimedUpTo: Seq;
  acceptedCount: number;
  deliveredCount: number;
  rejectedCount: number;
  droppedCount: number;
  readonly rejected: Rejection[];
}

interface FakeRange extends LaneRange {
  readonly id: number;
  readonly after: Seq;
  upTo: Seq;
  cursor: Seq;
  claimedUpTo: Seq;
  deliveredCount: number;
  rejectedCount: number;
  removedCount: number;
}

/** The log in memory, with the promises of the real one. */
export class FakeLog implements LogReader, LaneLog, ReplayStore {
  /** All streams, in the order of their seqs. */
  readonly #records: StoredRecord[] = [];
  readonly #damaged = new Set<Seq>();
  readonly #lanes = new Map<string, FakeLane>();
  /** Those that are done too; the oldest first. */
  #ranges: FakeRange[] = [];
  #rangeCount = 0;
  readonly #sentBytes = new Map<string, number>();
  readonly #waiting = new Set<() => void>();
  /** How often each lane waited: only the last one goes on waiting. */
  readonly #waitCounts = new Map<string, number>();
  #lastSeq: Seq = 0;
  readonly #lastSeqs = new Map<Stream, Seq>();
  /** Every settlement that was made, in order. */
  readonly settlements: Settlement[] = [];
  /** Awaited before a settlement is made: a test may delay it or let it fail. */
  beforeSettle: (settlement: Settlement) => Promise<void> = () => Promise.resolve();

  append(records: readonly NewRecord[]): Seq[] {
    const stored = records.map((record) => {
      this.#lastSeq += 1;
      return { ...record, seq: this.#lastSeq };
    });
    this.#records.push(...stored);
    for (const { stream, seq } of stored) this.#lastSeqs.set(stream, seq);
    for (const lane of this.#lanes.values())
      lane.acceptedCount += stored.filter((record) => isOf(lane.id, record)).length;
    for (const wake of this.#waiting) wake();
    return stored.map(({ seq }) => seq);
  }

  /** A limit wants everything of the stream up to here gone; what is in flight stays, and what is behind it. */
  drop(stream: Stream, upTo: Seq): void {
    const lanes = [...this.#lanes.values()].filter(({ id }) => id.stream === stream);
    const ranges = this.#ranges.filter((range) => range.lane.stream === stream && range.cursor < range.upTo);
    const inFlight = [...lanes, ...ranges].filter(({ cursor, claimedUpTo }) => claimedUpTo > cursor);
    const allowed = Math.min(upTo, ...inFlight.map(({ cursor }) => cursor));
    for (const lane of lanes) {
      if (lane.cursor >= allowed) continue;
      lane.droppedCount += this.#count(lane.id, lane.cursor, allowed);
      lane.cursor = allowed;
    }
    for (const range of ranges) {
      const last = Math.min(allowed, range.upTo);
      if (range.cursor >= last) continue;
      const lostCount = this.#count(range.lane, range.cursor, last, fitting(range));
      if (range.lane.range?.kind === 'backfill') this.#lane(range.lane).droppedCount += lostCount;
      else range.removedCount += lostCount;
      range.cursor = last;
    }
    const kept = this.#records.filter((record) => record.stream !== stream || record.seq > allowed);
    this.#records.splice(0, this.#records.length, ...kept);
  }

  noteSync(boot: BootStart): void {
    for (const [index, record] of this.#records.entries()) this.#records[index] = corrected(record, boot);
  }

  damage(seq: Seq): void {
    this.#damaged.add(seq);
  }

  counts(id: LaneId): LaneCounts {
    const { cursor, acceptedCount, deliveredCount, rejectedCount, droppedCount } = this.#lane(id);
    const skipped = this.#backfillsOf(id).map((range) => this.#count(id, range.cursor, range.upTo));
    const pendingCount = skipped.reduce((sum, count) => sum + count, this.#count(id, cursor, this.#lastSeq));
    return { cursor, acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount };
  }

  rejected(id: LaneId): readonly Rejection[] {
    return this.#lane(id).rejected;
  }

  isInFlight(id: LaneId): boolean {
    const { cursor, claimedUpTo } = this.#lane(id);
    return claimedUpTo > cursor;
  }

  read(stream: Stream, after: Seq, { maxRecords, maxBytes }: ReadLimit): Batch {
    const records: StoredRecord[] = [];
    const damaged: Seq[] = [];
    let upTo = after;
    let bytes = 0;
    let hasMore = false;
    for (const record of this.#records) {
      if (record.stream !== stream || record.seq <= after) continue;
      const isFirst = records.length + damaged.length === 0;
      bytes += encodeRecord(record, 0).byteLength;
      hasMore = !isFirst && (records.length + damaged.length >= maxRecords || bytes > maxBytes);
      if (hasMore) break;
      if (this.#damaged.has(record.seq)) damaged.push(record.seq);
      else records.push(record);
      upTo = record.seq;
    }
    return { records, damaged, upTo, hasMore };
  }

  async open(id: LaneId, from: 'oldest' | 'now'): Promise<Seq> {
    if (id.range !== undefined) return this.#range(id).cursor;
    const known = this.#lanes.get(nameOf(id));
    if (known !== undefined) return known.cursor;
    const oldest = this.#records.find(({ stream }) => stream === id.stream)?.seq ?? this.#lastSeq + 1;
    const cursor = from === 'now' ? this.#lastSeq : oldest - 1;
    const acceptedCount = this.#count(id, cursor, this.#lastSeq);
    const none = { deliveredCount: 0, rejectedCount: 0, droppedCount: 0 };
    this.#lanes.set(nameOf(id), { id, cursor, claimedUpTo: 0, acceptedCount, ...none, rejected: [] });
    return cursor;
  }

  async wait(id: LaneId, after: Seq, signal: AbortSignal): Promise<void> {
    const turn = (this.#waitCounts.get(nameOf(id)) ?? 0) + 1;
    this.#waitCounts.set(nameOf(id), turn);
    for (const wake of this.#waiting) wake();
    const has = (): boolean => (this.#lastSeqs.get(id.stream) ?? 0) > after;
    while (!signal.aborted && !has() && this.#waitCounts.get(nameOf(id)) === turn) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
      await promise;
      this.#waiting.delete(wake);
      signal.removeEventListener('abort', wake);
    }
  }

  async claim(id: LaneId, upTo: Seq): Promise<Seq> {
    const feed = id.range === undefined ? this.#lane(id) : this.#range(id);
    feed.claimedUpTo = Math.max(feed.claimedUpTo, upTo);
    return feed.cursor;
  }

  async release(id: LaneId): Promise<void> {
    if (id.range === undefined) this.#lane(id).claimedUpTo = 0;
    for (const range of this.#ranges) if (range.id === id.range?.id) range.claimedUpTo = 0;
  }

  async settle(settlement: Settlement): Promise<void> {
    await this.beforeSettle(settlement);
    const { lane: id, from, upTo, deliveredCount, rejected, sent } = settlement;
    const range = id.range === undefined ? undefined : this.#range(id);
    const lane = this.#lane(id);
    const feed = range ?? lane;
    if (from !== feed.cursor) {
      throw new SluiceError(`the cursor is ${feed.cursor}, not ${from}`, { code: 'stale_settlement' });
    }
    feed.cursor = Math.min(upTo, range?.upTo ?? upTo);
    const counted = id.range?.kind === 'replay' ? feed : lane;
    counted.deliveredCount += deliveredCount;
    counted.rejectedCount += rejected.length;
    if (counted === lane) lane.rejected.push(...rejected);
    if (sent !== undefined) {
      const day = `${id.uplink}/${sent.day}`;
      this.#sentBytes.set(day, (this.#sentBytes.get(day) ?? 0) + sent.bytes);
    }
    this.settlements.push(settlement);
  }

  async skipAhead(id: LaneId): Promise<Seq> {
    const lane = this.#lane(id);
    const upTo = this.#lastSeqs.get(id.stream) ?? 0;
    if (upTo <= lane.cursor) return lane.cursor;
    const newest = this.#backfillsOf(id).at(-1);
    if (newest?.upTo === lane.cursor) newest.upTo = upTo;
    else {
      const filter = { device: null, from: null, to: null };
      this.#addRange({ uplink: id.uplink, stream: id.stream, after: lane.cursor, upTo, ...filter }, 'backfill');
    }
    lane.cursor = upTo;
    return upTo;
  }

  async ranges(uplink: string): Promise<readonly LaneRange[]> {
    const mine = this.#ranges.filter((range) => range.lane.uplink === uplink && range.cursor < range.upTo);
    const isBackfill = ({ lane }: LaneRange): boolean => lane.range?.kind === 'backfill';
    return [...mine.filter(isBackfill), ...mine.filter((range) => !isBackfill(range))].map(
      ({ lane, upTo, filter }) => ({ lane, upTo, filter }),
    );
  }

  async sentBytes(uplink: string, day: number): Promise<number> {
    return this.#sentBytes.get(`${uplink}/${day}`) ?? 0;
  }

  async addReplay(replay: NewReplay): Promise<ReplayStats> {
    const upTo = Math.max(replay.after, Math.min(replay.upTo, this.#lane(replay).cursor));
    return statsOf(this.#addRange({ ...replay, upTo }, 'replay'));
  }

  async replays(): Promise<readonly ReplayStats[]> {
    return this.#ranges
      .filter(({ lane }) => lane.range?.kind === 'replay')
      .map(statsOf)
      .reverse();
  }

  async removeReplay(id: number): Promise<boolean> {
    const found = this.#ranges.find((range) => range.id === id && range.lane.range?.kind === 'replay');
    this.#ranges = this.#ranges.filter((range) => range !== found);
    return found !== undefined;
  }

  #addRange({ uplink, stream, after, upTo, ...filter }: NewReplay, kind: 'backfill' | 'replay'): FakeRange {
    this.#rangeCount += 1;
    const id = this.#rangeCount;
    const lane = { uplink, stream, range: { kind, id } };
    const counts = { deliveredCount: 0, rejectedCount: 0, removedCount: 0 };
    const range = { id, lane, filter, after, upTo, cursor: after, claimedUpTo: 0, ...counts };
    this.#ranges.push(range);
    return range;
  }

  #backfillsOf({ uplink, stream }: LaneId): FakeRange[] {
    return this.#ranges.filter(
      ({ lane, cursor, upTo }) =>
        lane.uplink === uplink && lane.stream === stream && lane.range?.kind === 'backfill' && cursor < upTo,
    );
  }

  #range(id: LaneId): FakeRange {
    const range = this.#ranges.find((each) => each.id === id.range?.id && each.cursor < each.upTo);
    if (range === undefined) throw new SluiceError('the range is done', { code: 'range_gone', retryable: true });
    return range;
  }

  #lane(id: LaneId): FakeLane {
    const lane = this.#lanes.get(nameOf(id));
    if (lane === undefined) throw new SluiceError(`lane ${nameOf(id)} was not opened`, { code: 'unknown_lane' });
    return lane;
  }

  #count(id: LaneId, after: Seq, upTo: Seq, fits: (record: NewRecord) => boolean = () => true): number {
    return this.#records.filter(
      (record) => isOf(id, record) && record.seq > after && record.seq <= upTo && fits(record),
    ).length;
  }
}

function fitting({ filter: { device, from, to } }: FakeRange): (record: NewRecord) => boolean {
  return (record) =>
    (device === null || record.device === device) &&
    (from === null || record.receivedAt >= from) &&
    (to === null || record.receivedAt < to);
}

function statsOf({ lane, filter, claimedUpTo: _, ...range }: FakeRange): ReplayStats {
  const { uplink, stream } = lane;
  return { ...range, ...filter, uplink, stream, at: 0, isDone: range.cursor >= range.upTo };
}

/** A gap counts only for the uplink that it concerns. */
function isOf({ uplink, stream }: LaneId, record: NewRecord): boolean {
  return record.stream === stream && (stream !== 'gaps' || record.channel === uplink);
}

function nameOf({ uplink, stream }: LaneId): string {
  return `${uplink}/${stream}`;
}
