import type { Seq } from '../core/record.ts';

/** More than can have been given out and not be noted, should the note be older than what it speaks of. */
export const SKIPPED_SEQS = 10_000_000;

/** Gives out seqs, one block at a time; implemented by `state.db`. */
export interface SeqReservation {
  /** The highest seq that may have been given out; 0 in a new file. */
  reservedSeq(): Seq;
  /** On disk when it returns: seqs up to the returned one, at least `needed`, may be given out. */
  reserveSeq(needed: Seq): Seq;
}
