import type { Seq } from '../../core/record.ts';
import { isThere } from '../disk-reads.ts';
import { STATE_NOTES } from '../notes.ts';
import { isEmptyFile } from '../sqlite.ts';
import { setAsideName } from './set-aside.ts';

/** What `state.db` knows of the log. */
export interface LogNotes {
  noted(name: string): string | undefined;
  /** What was derived from the log knows of records up to this one. */
  seenUpTo(): Seq;
}

/** The log is being set aside, or is, and nothing of it was taken over yet. */
export function isBegun(notes: LogNotes): boolean {
  return notes.noted(STATE_NOTES.logSalvage) === 'begun';
}

export function isSetAside(file: string, notes: LogNotes): boolean {
  return isBegun(notes) && isThere(setAsideName(file));
}

/** A life that did not end in good order leaves one, with all that it stored since the last time that it was carried over. */
export function isWalGone(wal: string, notes: LogNotes): boolean {
  const firstSeq = notes.noted(STATE_NOTES.logOpen);
  if (firstSeq === undefined || notes.noted(STATE_NOTES.logCarriedOver) !== undefined) return false;
  const hasStored = Number(notes.noted(STATE_NOTES.logNewest)) >= Number(firstSeq);
  return !isThere(wal) || (hasStored && isEmptyFile(wal));
}

/** It was longer, or what was derived from it knows of more, or its write-ahead log showed it: the last seq that may be lost. */
function lostUpTo(newestSeq: Seq, notes: LogNotes): Seq | undefined {
  const known = [notes.seenUpTo(), Number(notes.noted(STATE_NOTES.logNewest) ?? 0)].filter((seq) => seq > newestSeq);
  const shown = notes.noted(STATE_NOTES.logLostCommits);
  return [...known, ...(shown === undefined ? [] : [Number(shown)])].toSorted((a, b) => b - a)[0];
}

export function hasLost(newestSeq: Seq, notes: LogNotes): boolean {
  return lostUpTo(newestSeq, notes) !== undefined;
}

/** And it was not told yet: a kill may have come behind that, and before it was noted in `state.db`. */
export function hasUntoldLoss({ newestSeq, toldUpTo }: { newestSeq: Seq; toldUpTo: Seq }, notes: LogNotes): boolean {
  const lost = lostUpTo(newestSeq, notes);
  return lost !== undefined && (toldUpTo === 0 || lost > toldUpTo);
}
