import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';

/** A cursor with its counts. `base`: records of the stream that are not this lane's. */
export interface Lane {
  readonly uplink: string;
  readonly stream: Stream;
  cursor: Seq;
  base: number;
  delivered: number;
  rejected: number;
  dropped: number;
  /** As of the last `flush`, see `doneOf`; for the day on which its backfills cannot be read. */
  done: Seq;
  /** Last seq of the batch in flight; at most `cursor` when there is none. Not on disk: no batch outlives a start. */
  claimedUpTo: Seq;
  /** How far it is in bytes, as `Records.headBytes` counts them. Not on disk: estimated at the start. */
  passedBytes: number;
  dirty: boolean;
}
