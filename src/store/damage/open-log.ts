import { existsSync, rmSync, statSync } from 'node:fs';
import type { Stream } from '../../core/stream.ts';
import type { LogOptions } from '../log/connection.ts';
import { Log } from '../log/log.ts';
import { damaged, isDamage } from '../sqlite.ts';
import type { State } from '../state/state.ts';
import { hasLostCommits } from './pages.ts';
import { setAside, setAsideName } from './set-aside.ts';
import { suspectMark } from './suspect.ts';

export type Roots = Partial<Record<Stream, number>>;

export interface OpenedLog {
  readonly log: Log;
  /** What had to be done, for people; null when all was well. */
  readonly repair: string | null;
  /** Where the records of the damaged log stand, while not all of them are put back. */
  readonly toSalvage: Roots | null;
}

/**
 * Opens `log.db`; one that is damaged is set aside, and a new one takes over everything but the records, which `Salvage`
 * puts back. The new one keeps the epoch: no seq is ever given out twice, so its ids still name the same records.
 * What was begun is noted in `state.db`, and gone on with after a kill.
 * @throws SluiceError as `openForWriting`, but never `store_damaged`
 */
export function openLog(options: LogOptions, state: State): OpenedLog {
  const { file } = options;
  const wal = `${file}-wal`;
  const hasNoWal = (state.noted('log_open') === '1' && !existsSync(wal)) || hasLostCommits(wal);
  const lastSeq = state.reservedSeq();
  const opened = openOrReplace({ ...options, lostEpoch: state.noted('log_epoch') }, state);
  const { log } = opened;
  const isTakenOver = opened.toSalvage !== null;
  // What was derived from the log knows of seqs that the log does not know any more.
  const isShort = state.seenUpTo() > log.newestSeq();
  const isLost = hasNoWal || isShort;
  if (isLost && !isTakenOver) log.transaction(() => log.reportUnknownLoss(lastSeq));
  state.note('log_epoch', log.epoch);
  state.note('log_roots', JSON.stringify(log.roots()));
  state.note('log_open', '1');
  if (!isLost || isTakenOver) return opened;
  return { ...opened, repair: `the write-ahead log of ${file} is gone or damaged, and with it what was stored last` };
}

/** It is whole, and ends with its last commit. */
export function noteLogClosed(state: State): void {
  state.note('log_open', undefined);
}

function openOrReplace(options: LogOptions, state: State): OpenedLog {
  const { file } = options;
  let log: Log | undefined;
  try {
    if (existsSync(suspectMark(file))) throw damaged(file, 'it could not be read, or written to, when it ran last');
    if (options.lostEpoch !== undefined && isEmpty(file)) throw damaged(file, 'there is nothing in it');
    log = new Log(options);
    log.check();
    return goOn(log, file, state);
  } catch (error) {
    if (!isDamage(error)) throw error;
    log?.abandon();
    state.note('log_salvage_roots', state.noted('log_roots'));
    state.note('log_salvage', 'begun');
    setAside(file);
    rmSync(suspectMark(file), { force: true });
    const reason = error instanceof Error ? error.message : String(error);
    const repair = `${reason}; it is set aside as ${setAsideName(file)}, and what can be read of it is put back`;
    return { log: takeOver(new Log(options), file, state), repair, toSalvage: rootsToSalvage(state) };
  }
}

/** SQLite would begin a new one there, and forget the write-ahead log. */
function isEmpty(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** A salvage may have been cut short by a kill. */
function goOn(log: Log, file: string, state: State): OpenedLog {
  const progress = state.noted('log_salvage');
  if (progress === undefined || !existsSync(setAsideName(file))) return { log, repair: null, toSalvage: null };
  if (progress === 'begun' && !log.isNew()) return { log, repair: null, toSalvage: null };
  if (progress === 'begun') takeOver(log, file, state);
  return { log, repair: null, toSalvage: rootsToSalvage(state) };
}

/** How much more there was than the damaged file still counts nobody knows, unless it was closed in good order. */
function takeOver(log: Log, file: string, state: State): Log {
  log.takeOver(setAsideName(file));
  if (state.noted('log_open') === '1') log.transaction(() => log.reportUnknownLoss(state.reservedSeq()));
  state.note('log_salvage', 'taken_over');
  return log;
}

function rootsToSalvage(state: State): Roots {
  return JSON.parse(state.noted('log_salvage_roots') ?? '{}') as Roots;
}
