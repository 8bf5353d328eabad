/** What the store tells everybody who asks, and what is sent again because somebody asks for it. */

import type { DayBytes, RangeFilter } from './lane-log.ts';
import type { Room } from './ports.ts';
import type { Seq } from './record.ts';
import type { Stream } from './stream.ts';

export interface StreamStats {
  readonly stream: Stream;
  /** Records ever accepted into this log. */
  readonly acceptedCount: number;
  /** Records still in the log. */
  readonly storedCount: number;
  readonly lastSeq: Seq;
  readonly oldestReceivedAt: number | null;
  /** Records that were refused at the door because their device was over its share; they are in no other count. */
  readonly overShareCount: number;
}

/** For each lane: accepted = delivered + rejected + dropped + pending, always and exactly. */
export interface LaneStats {
  readonly uplink: string;
  readonly stream: Stream;
  readonly cursor: Seq;
  readonly acceptedCount: number;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  readonly droppedCount: number;
  readonly droppedByReason: Readonly<Record<string, number>>;
  readonly pendingCount: number;
  readonly oldestPendingAt: number | null;
}

/** What a lane skipped and still has to deliver: (cursor, upTo]. Its records count as pending of the lane. */
export interface BackfillStats {
  readonly uplink: string;
  readonly stream: Stream;
  readonly id: number;
  readonly cursor: Seq;
  readonly upTo: Seq;
  /** When the lane skipped it; UTC milliseconds. */
  readonly at: number;
}

/** What is to be sent again: records of (after, upTo] that fit the filter. */
export interface NewReplay extends RangeFilter {
  readonly uplink: string;
  readonly stream: Stream;
  readonly after: Seq;
  readonly upTo: Seq;
}

export interface ReplayStats extends NewReplay {
  readonly id: number;
  /** Everything up to here is sent, or was removed. */
  readonly cursor: Seq;
  readonly at: number;
  readonly isDone: boolean;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  /** Removed by a limit before they were sent again. */
  readonly removedCount: number;
}

export interface UplinkTotals {
  readonly uplink: string;
  /** Records delivered by replays, ever. */
  readonly replayedCount: number;
  /** Of the latest day that something was counted for; null when the link was never metered. */
  readonly sent: DayBytes | null;
}

export interface LogStats {
  readonly epoch: string;
  readonly streams: readonly StreamStats[];
  readonly lanes: readonly LaneStats[];
  readonly backfills: readonly BackfillStats[];
  readonly uplinks: readonly UplinkTotals[];
  /** Pages of the database that hold something, and the write-ahead log. */
  readonly bytes: number;
  readonly maxBytes: number;
  readonly room: Room;
  readonly freeBytes: number;
  readonly keepFreeBytes: number;
  readonly maxAgeMs: number;
  readonly refusedCount: number;
  readonly rejectsCount: number;
  readonly writtenBytes: number;
  /** While records of a damaged log are put back: the part of it that was looked through, from 0 to 1. */
  readonly salvaged: number | null;
  /** Of damaged files that are kept for people. */
  readonly setAsideBytes: number;
  /** Why nothing of it is put back now, or null. */
  readonly salvageStuck: string | null;
  /** Why nothing can be stored now, or null. */
  readonly full: string | null;
}

/** What became of a damaged log once all is put back. */
export interface Salvaged {
  readonly putBackCount: number;
  /** Over all lanes, as far as they were counted. */
  readonly lostCount: number;
  /** How much more is lost nobody knows: its gaps have `count` 0. */
  readonly moreMayBeLost: boolean;
}

/** Records sent again because somebody asks for it. All of it survives a restart. */
export interface ReplayStore {
  /**
   * Ends at the lane's cursor at the latest: what is behind it is still to come anyway.
   * @throws SluiceError `unknown_lane`, `too_many_replays`
   */
  addReplay(replay: NewReplay): Promise<ReplayStats>;
  /** The newest first; of those that are done only the latest are kept. */
  replays(): Promise<readonly ReplayStats[]>;
  /** Cancels it when it is not done: what is on its way may still arrive. False when there is none of that id. */
  removeReplay(id: number): Promise<boolean>;
}
