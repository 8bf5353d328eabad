import type Database from 'better-sqlite3';
import { SluiceError } from '../../core/errors.ts';
import type { GapReason } from '../../core/gap.ts';
import type { LaneId, LaneStats } from '../../core/ports.ts';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { type Range, type Ranges, rangeGone } from './ranges.ts';
import type { Records, StoredBody } from './records.ts';

/** A cursor with its counts. `base`: records of the stream that are not this lane's. */
export interface Lane {
  readonly uplink: string;
  readonly stream: Stream;
  cursor: Seq;
  base: number;
  delivered: number;
  rejected: number;
  dropped: number;
  /** Up to there it has done with everything: the lowest of its cursor and those of its backfills, as of the last `flush`. */
  done: Seq;
  /** Last seq of the batch in flight; at most `cursor` when there is none. Not on disk: no batch outlives a start. */
  claimedUpTo: Seq;
  /** How far it is in bytes, as `Records.headBytes` counts them. Not on disk: estimated at the start. */
  passedBytes: number;
  dirty: boolean;
}

interface DropRow {
  uplink: string;
  stream: Stream;
  reason: string;
  count: number;
}

type LaneRow = Omit<Lane, 'claimedUpTo' | 'passedBytes' | 'dirty'>;

/** What a limit takes from a lane. */
interface Drop {
  readonly reason: GapReason;
  readonly count: number;
  /** Of the values alone. */
  readonly bytes: number;
  /** Of everything that the cursor moves over. */
  readonly passedBytes: number;
}

/** What feeds an upstream: a lane, or one of its ranges. `end`: the last seq that it will ever want as things are. */
interface Feed {
  readonly uplink: string;
  readonly cursor: Seq;
  readonly claimedUpTo: Seq;
  readonly end: Seq;
}

/** The readers' positions, and the ranges beside them. Every method that writes belongs into a transaction that ends with `flush`. */
export class Lanes {
  readonly #db: Database.Database;
  readonly #records: Records;
  readonly #ranges: Ranges;
  readonly #save: Database.Statement;
  #lanes: Lane[] = [];
  /** Lanes that an uplink has asked for since the start. The others wait for one that is not configured any more. */
  readonly #served = new Set<string>();

  constructor(db: Database.Database, records: Records, ranges: Ranges) {
    this.#db = db;
    this.#records = records;
    this.#ranges = ranges;
    this.#save = db.prepare(
      `UPDATE lanes SET cursor = ?, base = ?, delivered = ?, rejected = ?, dropped = ?, done = ?
       WHERE uplink = ? AND stream = ?`,
    );
    this.reload();
  }

  reload(): void {
    const claims = new Map(this.#lanes.map((lane) => [nameOf(lane), lane.claimedUpTo]));
    const rows = this.#db.prepare<[], LaneRow>('SELECT * FROM lanes').all();
    this.#lanes = rows.map((row) => this.#laneOf(row, claims.get(nameOf(row))));
  }

  /** What was in flight over an earlier connection still is. */
  takeClaims(before: Lanes): void {
    for (const lane of this.#lanes) lane.claimedUpTo = before.#findLane(lane)?.claimedUpTo ?? 0;
    this.#ranges.takeClaims(before.#ranges);
    for (const name of before.#served) this.#served.add(name);
  }

  ofStream(stream: Stream): readonly Lane[] {
    return this.#lanes.filter((lane) => lane.stream === stream);
  }

  uplinks(): string[] {
    return [...new Set(this.#lanes.map((lane) => lane.uplink))];
  }

  /** `beginning`: of `gaps` too. */
  open(id: LaneId, from: 'oldest' | 'now' | 'beginning'): Seq {
    const { uplink, stream } = id;
    this.#served.add(nameOf(id));
    const known = id.range === undefined ? this.#find(id) : this.#get(id);
    if (known !== undefined) return known.cursor;
    const { acceptedCount, removedCount, lastSeq } = this.#records.count(stream);
    // What stands in `gaps` already concerns other uplinks.
    const fromNow = from === 'now' || (stream === 'gaps' && from !== 'beginning');
    const cursor = fromNow ? lastSeq : 0;
    const forOthers = this.#records.directed.countForOthers(uplink, stream);
    const base = fromNow ? acceptedCount : removedCount + forOthers;
    this.#db
      .prepare('INSERT INTO lanes (uplink, stream, cursor, base, done) VALUES (?, ?, ?, ?, ?)')
      .run(uplink, stream, cursor, base, cursor);
    const counts = { delivered: 0, rejected: 0, dropped: 0 };
    this.#lanes.push(this.#laneOf({ uplink, stream, cursor, base, ...counts, done: cursor }));
    return cursor;
  }

  /** It was opened before, in this run or an earlier one. */
  isKnown(id: LaneId): boolean {
    return this.#findLane(id) !== undefined;
  }

  /** @throws SluiceError `unknown_lane` */
  cursorOf(id: LaneId): Seq {
    return this.#lane(id).cursor;
  }

  claim(id: LaneId, upTo: Seq): Seq {
    const lane = this.#get(id);
    lane.claimedUpTo = Math.max(lane.claimedUpTo, upTo);
    return lane.cursor;
  }

  /** A range that is done, or was cancelled, holds nothing any more. */
  release(id: LaneId): void {
    const found = this.#find(id);
    if (found !== undefined) found.claimedUpTo = 0;
    else if (id.range === undefined) throw unknownLane(id);
  }

  /** Moves the cursor over records that were delivered or rejected. The claim on what lies behind stays. */
  advance(id: LaneId, step: { from: Seq; upTo: Seq; deliveredCount: number; rejectedCount: number }): void {
    const lane = this.#get(id);
    if (lane.cursor !== step.from || step.upTo < step.from) {
      throw new SluiceError(
        `settle of ${id.uplink}/${id.stream} from ${step.from} to ${step.upTo}, but its cursor is ${lane.cursor}`,
        { code: 'settle_out_of_step' },
      );
    }
    if ('id' in lane) this.#ranges.moveTo(lane, Math.min(step.upTo, lane.upTo));
    else lane.cursor = step.upTo;
    if ('id' in lane && lane.kind === 'replay') {
      lane.delivered += step.deliveredCount;
      lane.rejected += step.rejectedCount;
      lane.dirty = true;
    } else this.#settled(this.#lane(id), step);
  }

  /** Moves the cursor to the end of the stream, and makes a backfill of what is skipped; see `LaneLog`. */
  skipAhead(id: LaneId, at: number): Seq {
    const lane = this.#lane(id);
    const upTo = this.#records.count(lane.stream).lastSeq;
    if (upTo > lane.cursor && this.#ranges.skip(lane, { from: lane.cursor, upTo, at })) {
      lane.cursor = upTo;
      lane.dirty = true;
    }
    return lane.cursor;
  }

  /** Up to here no lane of the stream waits for anything, and nothing is on its way. */
  doneUpTo(stream: Stream): Seq {
    const lanes = this.ofStream(stream);
    const ranges = this.#ranges.ofStream(stream).filter((range) => range.kind === 'backfill' || isInFlight(range));
    return Math.min(...[...lanes, ...ranges].map(({ cursor }) => cursor));
  }

  /** Those of the stream with a batch on its way. A replay has always something behind it that is worth waiting for. */
  inFlight(stream: Stream): Feed[] {
    const { lastSeq } = this.#records.count(stream);
    const lanes = this.ofStream(stream).map((lane) => ({ ...lane, end: lastSeq }));
    const ranges = this.#ranges
      .ofStream(stream)
      .map((range) => ({ ...range, end: range.kind === 'backfill' ? range.upTo : Number.POSITIVE_INFINITY }));
    return [...lanes, ...ranges].filter(isInFlight);
  }

  /** Of these records those that the lane still has to deliver. */
  pendingOf(lane: Lane, rows: readonly StoredBody[]): StoredBody[] {
    const backfills = this.#ranges.backfillsOf(lane);
    const isSkipped = (seq: Seq): boolean => backfills.some(({ cursor, upTo }) => seq > cursor && seq <= upTo);
    return rows
      .filter(({ seq }) => seq > lane.cursor || isSkipped(seq))
      .filter(({ seq }) => this.#records.directed.isFor(lane.uplink, lane.stream, seq));
  }

  /** Pending by the counts, less what is there: what was lost. Negative when more is there than was counted. */
  missingCount(lane: Lane): number {
    const { uplink, stream, base, delivered, rejected, dropped } = lane;
    const counted = this.#records.count(stream).acceptedCount - base - delivered - rejected - dropped;
    const live = { cursor: lane.cursor, upTo: Number.MAX_SAFE_INTEGER };
    const found = [...this.#ranges.backfillsOf(lane), live].map(({ cursor, upTo }) =>
      this.#records.countFor(uplink, stream, { after: cursor, upTo }),
    );
    return counted - found.reduce((sum, count) => sum + count, 0);
  }

  /** Makes the counts agree with what is there, by records that count for the lane from now on. */
  adopt(lane: Lane, count: number): void {
    lane.base -= count;
    lane.dirty = true;
  }

  /** Moves the cursor over records that a limit took. */
  drop(lane: Lane, upTo: Seq, drop: Drop): void {
    lane.cursor = Math.max(lane.cursor, upTo);
    lane.dropped += drop.count;
    lane.passedBytes += drop.passedBytes;
    this.#moved(lane);
    if (drop.count === 0) return;
    this.#db
      .prepare(
        `INSERT INTO drops VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (uplink, stream, reason) DO UPDATE SET count = count + excluded.count,
           bytes = bytes + excluded.bytes`,
      )
      .run(lane.uplink, lane.stream, drop.reason, drop.count, drop.bytes);
  }

  /** A record was appended that is for `uplink` alone: for all other lanes of its stream it does not exist. */
  excludeFromOthers(stream: Stream, uplink: string): void {
    for (const lane of this.ofStream(stream)) {
      if (lane.uplink === uplink) continue;
      lane.base += 1;
      lane.dirty = true;
    }
  }

  flush(): void {
    for (const lane of this.#lanes) {
      if (!lane.dirty) continue;
      const { cursor, base, delivered, rejected, dropped, uplink, stream } = lane;
      lane.done = Math.min(cursor, ...this.#ranges.backfillsOf(lane).map((backfill) => backfill.cursor));
      this.#save.run(cursor, base, delivered, rejected, dropped, lane.done, uplink, stream);
      lane.dirty = false;
    }
  }

  /**
   * Bytes that no uplink that carries the stream has delivered: what only this log has. Estimated, see
   * `Records.storedBytes`.
   */
  waitingBytes(stream: Stream): number {
    const head = this.#records.headBytes(stream);
    const lanes = this.ofStream(stream).filter((lane) => this.#served.has(nameOf(lane)));
    const behind = lanes.map(({ passedBytes }) => head - passedBytes);
    return behind.length === 0 ? 0 : Math.max(0, Math.min(...behind));
  }

  stats(): LaneStats[] {
    const drops = this.#db.prepare<[], DropRow>('SELECT uplink, stream, reason, count FROM drops').all();
    return this.#lanes.map((lane) => {
      const acceptedCount = this.#acceptedCount(lane);
      const pendingCount = this.#pendingCount(lane);
      const mine = drops.filter(({ uplink, stream }) => uplink === lane.uplink && stream === lane.stream);
      return {
        uplink: lane.uplink,
        stream: lane.stream,
        cursor: lane.cursor,
        acceptedCount,
        deliveredCount: lane.delivered,
        rejectedCount: lane.rejected,
        droppedCount: lane.dropped,
        droppedByReason: Object.fromEntries(mine.map(({ reason, count }) => [reason, count])),
        pendingCount,
        oldestPendingAt: pendingCount > 0 ? this.#oldestPendingAt(lane) : null,
      };
    });
  }

  #laneOf(row: LaneRow, claimedUpTo: Seq = 0): Lane {
    const cursors = [row, ...this.#ranges.backfillsOf(row)].map(({ cursor }) => cursor);
    const behind = this.#records.estimateBytes(row.stream, Math.min(...cursors), this.#pendingCount(row));
    const passedBytes = this.#records.headBytes(row.stream) - behind;
    return { ...row, claimedUpTo, passedBytes, dirty: false };
  }

  /** What a backfill delivers is its lane's. */
  #settled(lane: Lane, step: { from: Seq; upTo: Seq; deliveredCount: number; rejectedCount: number }): void {
    lane.passedBytes += this.#records.bytesBetween(lane.stream, step.from, step.upTo);
    lane.delivered += step.deliveredCount;
    lane.rejected += step.rejectedCount;
    this.#moved(lane);
  }

  #moved(lane: Lane): void {
    lane.dirty = true;
    // Here an estimate ends.
    if (this.#pendingCount(lane) === 0) lane.passedBytes = this.#records.headBytes(lane.stream);
  }

  #acceptedCount({ stream, base }: LaneRow): number {
    return this.#records.count(stream).acceptedCount - base;
  }

  #pendingCount(lane: LaneRow): number {
    return this.#acceptedCount(lane) - lane.delivered - lane.rejected - lane.dropped;
  }

  #oldestPendingAt(lane: Lane): number | null {
    const live = { cursor: lane.cursor, upTo: Number.MAX_SAFE_INTEGER };
    for (const { cursor, upTo } of [...this.#ranges.backfillsOf(lane), live]) {
      const at = this.#records.oldestReceivedAt(lane.stream, cursor, upTo);
      if (at !== null) return at;
    }
    return null;
  }

  #find(id: LaneId): Lane | Range | undefined {
    return id.range === undefined ? this.#findLane(id) : this.#ranges.find(id);
  }

  #findLane({ uplink, stream }: LaneId): Lane | undefined {
    return this.#lanes.find((lane) => lane.uplink === uplink && lane.stream === stream);
  }

  #get(id: LaneId): Lane | Range {
    const found = this.#find(id);
    if (found !== undefined) return found;
    throw id.range === undefined ? unknownLane(id) : rangeGone(id);
  }

  /** The lane itself, also of a range. */
  #lane(id: LaneId): Lane {
    const lane = this.#findLane(id);
    if (lane === undefined) throw unknownLane(id);
    return lane;
  }
}

function isInFlight({ claimedUpTo, cursor }: { readonly claimedUpTo: Seq; readonly cursor: Seq }): boolean {
  return claimedUpTo > cursor;
}

function unknownLane({ uplink, stream }: LaneId): SluiceError {
  return new SluiceError(`lane ${uplink}/${stream} was never opened`, { code: 'unknown_lane' });
}

function nameOf({ uplink, stream }: LaneId): string {
  return `${uplink}/${stream}`;
}
