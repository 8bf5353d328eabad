import { existsSync, rmSync, statSync } from 'node:fs';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import type { LogOptions } from '../log/connection.ts';
import { Log } from '../log/log.ts';
import { damaged, isDamage } from '../sqlite.ts';
import type { State } from '../state/state.ts';
import { hasLostCommits } from './pages.ts';
import { removeSetAside, setAside, setAsideName } from './set-aside.ts';
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
  const isLost = hasNoWal || isShort(log, state);
  if (isLost && !isTakenOver) log.transaction(() => log.recovery.reportUnknownLoss(lastSeq));
  if (!isTakenOver && log.recovery.hasLostPositions && log.lanes.uplinks().length > 0) {
    log.transaction(() => log.recovery.forgetLostPositions());
  }
  state.note('log_epoch', log.epoch);
  state.note('log_roots', JSON.stringify(log.roots()));
  state.note('log_newest', String(log.newestSeq()));
  state.note('log_open', '1');
  if (!isLost || isTakenOver) return opened;
  return {
    ...opened,
    repair: `the write-ahead log of ${file} is gone, damaged or another one, and with it what was stored last`,
  };
}

/** To be called now and then: a log that ends before the first records of this run is not the one that this run wrote. */
export function noteLogGrown(state: State, log: Log, firstSeq: Seq): void {
  const newest = log.newestSeq();
  if (newest >= firstSeq && Number(state.noted('log_newest')) < firstSeq) state.note('log_newest', String(newest));
}

/** It is whole, and ends with its last commit. */
export function noteLogClosed(state: State, log: Log): void {
  state.note('log_newest', String(log.newestSeq()));
  state.note('log_open', undefined);
}

function openOrReplace(options: LogOptions, state: State): OpenedLog {
  const { file } = options;
  let log: Log | undefined;
  try {
    if (existsSync(suspectMark(file))) throw damaged(file, 'it could not be read, or written to, when it ran last');
    if (options.lostEpoch !== undefined && isEmpty(file) && !isSetAside(file, state)) {
      throw damaged(file, 'there is nothing in it');
    }
    log = new Log(options);
    log.check();
    return goOn(log, file, state);
  } catch (error) {
    if (!isDamage(error)) throw error;
    log?.abandon();
    state.note('log_salvage_roots', state.noted('log_roots'));
    // What stands there from an earlier damage must not pass for this one.
    removeSetAside(file);
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

/** And nothing of it was taken over yet. */
function isSetAside(file: string, state: State): boolean {
  return state.noted('log_salvage') === 'begun' && existsSync(setAsideName(file));
}

/** A salvage may have been cut short by a kill, also before anything was taken over. */
function goOn(log: Log, file: string, state: State): OpenedLog {
  if (isSetAside(file, state) && log.isNew()) takeOver(log, file, state);
  const toSalvage = log.recovery.isUnfinished ? rootsToSalvage(state) : null;
  return { log, repair: null, toSalvage };
}

/** It was longer, or what was derived from it knows of more. */
function isShort(log: Log, state: State): boolean {
  return Math.max(state.seenUpTo(), Number(state.noted('log_newest') ?? 0)) > log.newestSeq();
}

/** How much more there was than the damaged file still counts nobody knows, unless it was closed in good order, and is that one. */
function takeOver(log: Log, file: string, state: State): Log {
  const upTo = state.reservedSeq();
  log.transaction(() => {
    log.recovery.takeOver(setAsideName(file), upTo);
    if (state.noted('log_open') === '1' || isShort(log, state)) log.recovery.reportUnknownLoss(upTo);
  });
  state.note('log_salvage', undefined);
  return log;
}

function rootsToSalvage(state: State): Roots {
  return JSON.parse(state.noted('log_salvage_roots') ?? '{}') as Roots;
}
