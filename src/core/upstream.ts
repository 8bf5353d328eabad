/** What an upstream promises to its forwarder, and what is said of the link to it. */

import type { SluiceError } from './errors.ts';
import type { LaneId, Rejection } from './lane-log.ts';
import type { Seq, StoredRecord } from './record.ts';

/** What an upstream made of a batch. Always a prefix: order within a stream is kept. */
export interface Outcome {
  /** Every record up to here is delivered, or named in `rejected`. The seq before the batch when none is. */
  readonly upTo: Seq;
  readonly rejected: readonly Rejection[];
  /**
   * Why the rest stays. Null when nothing stays, or when the rest may be sent at once, but only after what is rejected is
   * on disk. `retryable: false` blocks the uplink until somebody mends it.
   */
  readonly error: SluiceError | null;
}

export interface SendOptions {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

export interface Upstream {
  /**
   * May fail; the forwarder tries again with back-off and jitter, for ever. Called again after a failed send: mends
   * what is broken, and resolves at once when nothing is. Always settles by a deadline of its own.
   */
  open(signal: AbortSignal): Promise<void>;
  /** Records of one lane, in seq order, at least one. Always settles by its deadline; never rejects. */
  send(lane: LaneId, after: Seq, records: readonly StoredRecord[], options: SendOptions): Promise<Outcome>;
  /**
   * Asks whether the upstream is still there; sends no record. Rejects when it is not: `open` mends that. Always settles
   * by a deadline of its own.
   */
  probe(signal: AbortSignal): Promise<void>;
  /**
   * Last seq of the lane that the upstream itself durably holds, when it can tell (same epoch only). May fail, like
   * `open`. Asked before the first `send`, and again after each one that failed: it leaves no doubt what became of that.
   */
  position?(lane: LaneId): Promise<Seq | undefined>;
  /** What the record takes on the wire: key, value and headers, before compression. */
  bytesOf(lane: LaneId, record: StoredRecord): number;
  /** Nothing more is to come of this range: what is kept for it may go. */
  finish(lane: LaneId): void;
  /** Never hangs, never rejects. */
  close(options: { readonly deadlineMs: number }): Promise<void>;
}

/** `blocked`: waits for people; `down`: tries again by itself. */
export type LinkState = 'connecting' | 'up' | 'down' | 'blocked' | 'paused' | 'stopped';

export interface LinkStatus {
  readonly state: LinkState;
  /** In plain words, with what to do; null when all is well. */
  readonly reason: string | null;
  readonly code: string | null;
  /** Milliseconds since 1970. */
  readonly since: number;
  /** When the next attempt is due, or null. */
  readonly retryAt: number | null;
  readonly lastDeliveredAt: number | null;
  /** Records per second, over the last ten seconds; without replays. */
  readonly rate: number;
  /** Bytes per second as a metered link counts them, over the last ten seconds, without replays; 0 of a link that is not. */
  readonly byteRate: number;
}
