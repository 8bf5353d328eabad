import { closeSync, copyFileSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { codeOf } from '../../core/errors.ts';
import { type Believe, isThere, isUnread, lookTwice, waitForReads } from '../disk-reads.ts';
import { damaged, diskFaultOf, isDamageAtOpening } from '../file-errors.ts';
import { ofCopy } from '../if-readable.ts';
import type { Log } from '../log/log.ts';
import { notedIn, STATE_NOTES } from '../notes.ts';
import { SKIPPED_SEQS } from '../seqs.ts';
import { findDamagedRows, problemOf } from '../state/damaged-rows.ts';
import { State } from '../state/state.ts';
import { setAside, syncDirectory } from './set-aside.ts';

/** What devices were last seen with is derived from the log: a copy of that may be this old. */
const REFRESH_MS = 10 * 60_000;
/** On a disk that does not take the copy. */
const RETRY_MS = 10_000;

export interface OpenedState {
  readonly state: State;
  /** What had to be done, for people. */
  readonly repairs: readonly string[];
}

/**
 * Opens `state.db`. Of one in which rows are damaged these are given up; one that is damaged beyond that, or older than its
 * good copy because its write-ahead log is gone, is set aside and the good copy takes its place.
 * `isKnown`: there was one, as a log stands beside it.
 * @throws SluiceError as `openForWriting` and `lookTwice`, but never `store_damaged`
 */
export function openState(file: string, isKnown = false): OpenedState {
  return lookTwice([file, `${file}-wal`], (believe) => openOrRestore(file, { isKnown, believe }));
}

function openOrRestore(file: string, { isKnown, believe }: { isKnown: boolean; believe: Believe }): OpenedState {
  const good = `${file}.good`;
  let state: State | undefined;
  try {
    if (!isThere(file) && (isKnown || isSurelyUsable(good))) return restore(file, 'it is gone');
    state = new State(file);
    const why = whyNot(state, good, believe);
    if (why === null || !isSurelyUsable(good)) return mended(state, file);
    state.close();
    return restore(file, why);
  } catch (error) {
    closeDamaged(state);
    if (!isDamageAtOpening(error) && !isUnread(error)) throw error;
    believe(error);
    return restore(file, 'it is damaged');
  }
}

/** Why a copy would be better; null when it would not. */
function whyNot(state: State, good: string, believe: Believe): string | null {
  try {
    state.check();
  } catch (error) {
    if (!isDamageAtOpening(error)) throw error;
    believe(error);
    return 'it is damaged';
  }
  // One that cannot be read is no better.
  return generationOfCopy(good) > generationOf(state) ? LACKS_END : null;
}

/** Where nothing else can help: of one that is there and cannot be read now it is not believed that it is of no use. */
function isSurelyUsable(good: string): boolean {
  if (isUsable(good)) return true;
  if (!isThere(good)) return false;
  waitForReads([good]);
  return isUsable(good);
}

function mended(state: State, file: string): OpenedState {
  const repairs = state.mend(`${file}.good`).map((done) => `${file}: ${done}`);
  state.check();
  return { state, repairs };
}

function restore(file: string, why: string): OpenedState {
  const good = `${file}.good`;
  const hasCopy = isSurelyUsable(good);
  const wasThere = isThere(file);
  if (wasThere) setAside(file);
  if (hasCopy) copyDurably(good, file);
  const { state, repairs } = mended(new State(file), file);
  if (hasCopy) state.reserveSeq(state.reservedSeq() + SKIPPED_SEQS);
  const what = hasCopy ? 'the copy of its last good state is in its place' : NO_COPY;
  return { state, repairs: [`${file} ${wasThere ? `is set aside, ${why}` : 'is gone'}; ${what}`, ...repairs] };
}

export function isUsable(good: string): boolean {
  return ofCopy(good, problemOf) === null;
}

export function generationOfCopy(good: string): number {
  return Number(ofCopy(good, (copy) => notedIn(copy, STATE_NOTES.generation)) ?? 0);
}

export const LACKS_END = 'it lacks what was written last';
export const NO_COPY = 'there is no copy that can be used: devices must be added again';
export const END_IS_GONE = `${LACKS_END}, and there is no copy that can be used: devices that were added last must be added again`;

/** Behind the log that noted it, and nothing newer is there. */
export function lacksEnd(state: State, log: Log): boolean {
  return Number(log.recovery.stateGeneration() ?? 0) > generationOf(state);
}

function generationOf(state: State): number {
  return Number(state.noted(STATE_NOTES.generation) ?? 0);
}

function closeDamaged(state: State | undefined): void {
  try {
    state?.close();
  } catch (error) {
    if (codeOf(error)?.startsWith('SQLITE_') !== true) throw error;
  }
}

/** Keeps a copy of `state.db`, as it was when it was whole. */
export class GoodCopy {
  readonly #state: State;
  readonly #stateFile: string;
  readonly #file: string;
  #preciousVersion = -1;
  #changeCount = -1;
  #dueAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(state: State, file: string) {
    this.#state = state;
    this.#stateFile = file;
    this.#file = `${file}.good`;
  }

  /** Writes it when something precious was changed, and now and then for the rest; returns whether it did. @throws SluiceError `store_damaged` */
  step(): boolean {
    const { preciousVersion, changeCount } = this.#state;
    const isDue = performance.now() >= this.#dueAt && changeCount !== this.#changeCount;
    if (preciousVersion === this.#preciousVersion && !isDue) return false;
    return performance.now() >= this.#notBefore && this.#keep(preciousVersion);
  }

  /** For the end of a life: whether the log was open is as it says. @throws SluiceError `store_damaged` */
  finish(): void {
    this.#keep(this.#state.preciousVersion);
  }

  #keep(preciousVersion: number): boolean {
    if (!this.#isWritten()) {
      // The copy of before stays; whoever needs the disk for more will find out by themselves.
      this.#notBefore = performance.now() + RETRY_MS;
      return false;
    }
    this.#preciousVersion = preciousVersion;
    this.#changeCount = this.#state.changeCount;
    this.#dueAt = performance.now() + REFRESH_MS;
    return true;
  }

  #isWritten(): boolean {
    try {
      return this.#write();
    } catch (error) {
      if (diskFaultOf(error) === undefined) throw error;
      return false;
    }
  }

  /** False when it is not what was written: then it must not take the place of one that was. */
  #write(): boolean {
    const fresh = `${this.#file}.new`;
    rmSync(fresh, { force: true });
    this.#state.note(STATE_NOTES.generation, String(generationOf(this.#state) + 1));
    this.#state.copyTo(fresh);
    const isWhole = ofCopy(fresh, (copy) => problemOf(copy) === null && findDamagedRows(copy).size === 0) === true;
    if (isWhole) replaceDurably(fresh, this.#file);
    else if (!this.#state.isWhole()) throw damaged(this.#stateFile, 'what it holds is not what was written');
    return isWhole;
  }
}

function copyDurably(from: string, to: string): void {
  const fresh = `${to}.new`;
  copyFileSync(from, fresh);
  replaceDurably(fresh, to);
}

function replaceDurably(fresh: string, file: string): void {
  const fd = openSync(fresh, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(fresh, file);
  syncDirectory(dirname(file));
}
