import type Database from 'better-sqlite3';
import { SluiceError } from '../../core/errors.ts';
import type { GapReason } from '../../core/gap.ts';
import type { LaneId } from '../../core/lane-log.ts';
import type { LaneStats } from '../../core/log-stats.ts';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { damaged } from '../file-errors.ts';
import type { Lane } from './lane.ts';
import { type LaneRow, LaneRows } from './lane-rows.ts';
import { PendingRecords } from './pending-records.ts';
import { type Range, type Ranges, rangeGone } from './ranges.ts';
import type { Records } from './records.ts';

/** How far lanes have skipped, kept apart from the log; implemented by `state.db`. On disk when `noteSkip` returns. */
export interface SkipNotes {
  /** 0 when it never did. */
  skippedUpTo(lane: LaneId): Seq;
  noteSkip(lane: LaneId, upTo: Seq): void;
}

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
  readonly pending: PendingRecords;
  readonly #rows: LaneRows;
  readonly #records: Records;
  readonly #ranges: Ranges;
  #lanes: Lane[] = [];
  /** Lanes that an uplink has asked for since the start. The others wait for one that is not configured any more. */
  readonly #served = new Set<string>();

  constructor(db: Database.Database, records: Records, ranges: Ranges) {
    this.#rows = new LaneRows(db);
    this.#records = records;
    this.#ranges = ranges;
    this.pending = new PendingRecords(records, ranges);
    this.reload();
  }

  /** @throws SluiceError `store_damaged` */
  reload(): void {
    const claims = new Map(this.#lanes.map((lane) => [nameOf(lane), lane.claimedUpTo]));
    this.#lanes = this.#rows.load().map(({ isSummed, ...row }) => ({
      ...this.#laneOf(row, claims.get(nameOf(row))),
      dirty: !isSummed,
    }));
  }

  /** To be called before `reload`: takes lanes away whose positions are not what was written. False when there are none. */
  removeDamaged(): boolean {
    return this.#rows.removeDamaged();
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
    const row = { uplink, stream, cursor, base, delivered: 0, rejected: 0, dropped: 0, done: cursor };
    this.#rows.save(row);
    this.#lanes.push(this.#laneOf(row));
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

  /** @throws SluiceError `unknown_lane`, `range_gone`; `store_damaged` when what was read was never stored */
  claim(id: LaneId, upTo: Seq): Seq {
    const lane = this.#get(id);
    const { lastSeq } = this.#records.count(id.stream);
    if (upTo > lastSeq) throw damaged('log.db', `${id.stream} ends at ${lastSeq}, but ${upTo} stands there`);
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

  /** Moves the cursor forward, and makes a backfill of what is skipped; see `LaneLog.skipAhead`. */
  skipTo(id: LaneId, upTo: Seq, at: number): Seq {
    const lane = this.#lane(id);
    if (upTo > lane.cursor && this.#ranges.skip(lane, { from: lane.cursor, upTo, at })) {
      lane.cursor = upTo;
      lane.dirty = true;
    }
    return lane.cursor;
  }

  /** Up to there it has done with everything: the lowest of its cursor and those of its backfills. */
  doneOf(lane: Lane): Seq {
    return Math.min(lane.cursor, ...this.#ranges.backfillsOf(lane).map(({ cursor }) => cursor));
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

  /** The lane, when it has got to the end of all that is there, and by the counts has not. */
  offAtEnd(id: LaneId): Lane | undefined {
    const lane = this.#lane(id);
    const isAtEnd =
      lane.cursor >= this.#records.count(lane.stream).lastSeq && this.#ranges.backfillsOf(lane).length === 0;
    return isAtEnd && this.pending.count(lane) > 0 ? lane : undefined;
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
    if (drop.count > 0) this.#rows.addDrop(lane, drop);
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
      lane.done = this.doneOf(lane);
      this.#rows.save(lane);
      lane.dirty = false;
    }
  }

  /** Bytes that the served lane that is furthest behind has still to deliver. Estimated, see `Records.storedBytes`. */
  waitingBytes(stream: Stream): number {
    const head = this.#records.headBytes(stream);
    const lanes = this.ofStream(stream).filter((lane) => this.#served.has(nameOf(lane)));
    const behind = lanes.map(({ passedBytes }) => head - passedBytes);
    return Math.max(0, ...behind);
  }

  stats(): LaneStats[] {
    const drops = this.#rows.drops();
    return this.#lanes.map((lane) => {
      const acceptedCount = this.pending.acceptedCount(lane);
      const pendingCount = this.pending.count(lane);
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
        oldestPendingAt: pendingCount > 0 ? this.pending.oldestAt(lane) : null,
      };
    });
  }

  #laneOf(row: LaneRow, claimedUpTo: Seq = 0): Lane {
    const cursors = [row, ...this.#ranges.backfillsOf(row)].map(({ cursor }) => cursor);
    const behind = this.#records.estimateBytes(row.stream, Math.min(...cursors), this.pending.count(row));
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
    if (this.pending.count(lane) === 0) lane.passedBytes = this.#records.headBytes(lane.stream);
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
