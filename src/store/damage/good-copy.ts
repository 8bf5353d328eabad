import { closeSync, copyFileSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { codeOf } from '../../core/errors.ts';
import { diskFaultOf, isDamage } from '../sqlite.ts';
import { State } from '../state/state.ts';
import { setAside, syncDirectory } from './set-aside.ts';

/** What devices were last seen with is derived from the log: a copy of that may be this old. */
const REFRESH_MS = 10 * 60_000;
/** On a disk that does not take the copy. */
const RETRY_MS = 10_000;
/** More than can have been reserved between two copies. */
const SKIPPED_SEQS = 10_000_000;

export interface OpenedState {
  readonly state: State;
  /** What had to be done, for people; null when all was well. */
  readonly repair: string | null;
}

/**
 * Opens `state.db`; one that is damaged, or older than its good copy because its write-ahead log is gone, is set aside and
 * the good copy takes its place. @throws SluiceError as `openForWriting`, but never `store_damaged`
 */
export function openState(file: string): OpenedState {
  const good = `${file}.good`;
  let state: State | undefined;
  try {
    if (existsSync(file) || !existsSync(good)) {
      state = new State(file);
      state.check();
      if (!isOlder(state, good)) return { state, repair: null };
    }
    state?.close();
    return restore(file, 'it lacks what was written last');
  } catch (error) {
    if (!isDamage(error)) throw error;
    closeDamaged(state);
    return restore(file, 'it is damaged');
  }
}

function restore(file: string, why: string): OpenedState {
  const good = `${file}.good`;
  if (existsSync(file)) setAside(file);
  const hasCopy = existsSync(good);
  if (hasCopy) copyDurably(good, file);
  try {
    const state = new State(file);
    state.check();
    if (hasCopy) state.reserveSeq(state.reservedSeq() + SKIPPED_SEQS);
    // It was made while the log was open; how that ended is not known here.
    state.note('log_open', undefined);
    const what = hasCopy
      ? 'the copy of its last good state is in its place'
      : 'there is no copy: devices must be added again';
    return { state, repair: `${file} is set aside, ${why}; ${what}` };
  } catch (error) {
    if (!hasCopy || !isDamage(error)) throw error;
    rmSync(good);
    return restore(file, `${why}, and so is its copy`);
  }
}

/** The copy knows a generation that the file does not. */
function isOlder(state: State, good: string): boolean {
  return existsSync(good) && generationOfCopy(good) > generationOf(state);
}

/** A copy has no write-ahead log, so looking at it makes no files. */
function generationOfCopy(good: string): number {
  let copy: Database.Database | undefined;
  try {
    copy = new Database(good, { readonly: true });
    return Number(copy.prepare("SELECT value FROM meta WHERE name = 'generation'").pluck().get() ?? 0);
  } catch (error) {
    if (error instanceof Database.SqliteError) return 0;
    throw error;
  } finally {
    copy?.close();
  }
}

function generationOf(state: State): number {
  return Number(state.noted('generation') ?? 0);
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
  readonly #file: string;
  #preciousVersion = -1;
  #changeCount = -1;
  #dueAt = Number.NEGATIVE_INFINITY;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(state: State, file: string) {
    this.#state = state;
    this.#file = `${file}.good`;
  }

  /** Writes it when something precious was changed, and now and then for the rest. */
  step(): void {
    const { preciousVersion, changeCount } = this.#state;
    const isDue = performance.now() >= this.#dueAt && changeCount !== this.#changeCount;
    if (preciousVersion === this.#preciousVersion && !isDue) return;
    if (performance.now() < this.#notBefore) return;
    try {
      this.#write();
    } catch (error) {
      // The copy of before stays; whoever needs the disk for more will find out by themselves.
      if (diskFaultOf(error) === undefined) throw error;
      this.#notBefore = performance.now() + RETRY_MS;
      return;
    }
    this.#preciousVersion = preciousVersion;
    this.#changeCount = this.#state.changeCount;
    this.#dueAt = performance.now() + REFRESH_MS;
  }

  #write(): void {
    const fresh = `${this.#file}.new`;
    rmSync(fresh, { force: true });
    this.#state.note('generation', String(generationOf(this.#state) + 1));
    this.#state.copyTo(fresh);
    replaceDurably(fresh, this.#file);
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
