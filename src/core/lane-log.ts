/** What the store promises to whoever feeds an upstream. */

import type { Seq, StoredRecord } from './record.ts';
import type { Stream } from './stream.ts';

/** A reader of the log that feeds an upstream; it has its own cursor. */
export interface LaneId {
  readonly uplink: string;
  readonly stream: Stream;
  /** A part of the stream that is fed beside the lane itself, with a cursor of its own. */
  readonly range?: RangeId | undefined;
}

/** `backfill`: what the lane skipped, pending until it is delivered. `replay`: what somebody wants to have sent again. */
export type RangeKind = 'backfill' | 'replay';

export interface RangeId {
  readonly kind: RangeKind;
  /** Never given out twice. */
  readonly id: number;
}

/** Which records of a range are sent. Times are UTC milliseconds of acceptance, `from` inclusive, `to` exclusive. */
export interface RangeFilter {
  readonly device: string | null;
  readonly from: number | null;
  readonly to: number | null;
}

/** A range with something left to send: (cursor, upTo]. */
export interface LaneRange {
  readonly lane: LaneId;
  readonly upTo: Seq;
  readonly filter: RangeFilter;
}

/** A record that the upstream can never take. */
export interface Rejection {
  readonly seq: Seq;
  /** Stable, `snake_case`: `message_too_large`, `invalid_record`, … */
  readonly reason: string;
  readonly detail: string;
}

export interface ReadLimit {
  readonly maxRecords: number;
  /** At least one record is returned, however large. */
  readonly maxBytes: number;
}

export interface Batch {
  readonly records: readonly StoredRecord[];
  /** Seq of the last record looked at, whether it is in `records` or not; `after` when there was none. */
  readonly upTo: Seq;
  /** Seqs whose CRC did not hold; they are not in `records`. */
  readonly damaged: readonly Seq[];
  /** The limit was met, and there was more. */
  readonly hasMore: boolean;
}

/** Oldest first, removes nothing; every call is one short read. Synchronous: lives on a thread that may block. */
export interface LogReader {
  read(stream: Stream, after: Seq, limit: ReadLimit): Batch;
}

export interface Settlement {
  readonly lane: LaneId;
  /** The lane's cursor before; another value means a bug, and the store refuses. */
  readonly from: Seq;
  readonly upTo: Seq;
  /** Records in (from, upTo] that the upstream confirmed. */
  readonly deliveredCount: number;
  readonly rejected: readonly Rejection[];
  /** What it took on the wire since the last settlement, counted for that day; only where a link is metered. */
  readonly sent?: DayBytes | undefined;
}

export interface DayBytes {
  /** UTC days since 1970. */
  readonly day: number;
  readonly bytes: number;
}

/**
 * The lane side of the store. Wherever a lane is named, one of its ranges may be; what it does then concerns the
 * range's cursor, and rejects with `range_gone` once the range is done, or was cancelled.
 */
export interface LaneLog {
  /** The lane's cursor; makes the lane, beginning at `oldest` or `now`, when it is new. A range is never made here. */
  open(lane: LaneId, from: 'oldest' | 'now'): Promise<Seq>;
  /** Resolves when the lane's stream has a record after `after`, the signal is aborted, or the lane waits anew. */
  wait(lane: LaneId, after: Seq, signal: AbortSignal): Promise<void>;
  /**
   * Takes (cursor, upTo] in flight: no limit removes them until settled or released. A later claim only adds.
   * Resolves with the lane's cursor, which has moved past `from` when a limit dropped records before the claim; that
   * is waited for when a limit needs it and earlier records of the stream are in flight, until they are not.
   */
  claim(lane: LaneId, upTo: Seq): Promise<Seq>;
  release(lane: LaneId): Promise<void>;
  /**
   * Moves the cursor, counts, and stores the rejects, in one transaction. Resolves when that is on disk.
   * Frees what it settles; what is claimed beyond stays in flight. What a backfill settles counts as its lane's; what a
   * replay settles counts for the replay alone, and its rejects are not kept. A range that is settled to its end is done.
   */
  settle(settlement: Settlement): Promise<void>;
  /**
   * Moves the cursor of a lane with nothing in flight to the end of its stream, and makes a backfill of what it skips;
   * one that nothing was delivered behind grows instead. Counts do not change. Resolves with the cursor, which stays
   * where it is when there are too many backfills.
   */
  skipAhead(lane: LaneId): Promise<Seq>;
  /** What is left to send beside the lanes: backfills, then replays, the oldest first. */
  ranges(uplink: string): Promise<readonly LaneRange[]>;
  /** Bytes that settlements counted for the uplink on that day, which is the latest one. */
  sentBytes(uplink: string, day: number): Promise<number>;
}
