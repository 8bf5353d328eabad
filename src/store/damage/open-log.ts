import { rmSync } from 'node:fs';
import { messageOf } from '../../core/errors.ts';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { isThere, isUnread, type Look, lookTwice } from '../disk-reads.ts';
import { damaged, isDamage } from '../file-errors.ts';
import type { LogOptions } from '../log/connection.ts';
import { Log } from '../log/log.ts';
import { STATE_NOTES } from '../notes.ts';
import { isEmptyFile } from '../sqlite.ts';
import type { State } from '../state/state.ts';
import { lacksEnd } from './good-copy.ts';
import { hasLost, hasUntoldLoss, isBegun, isSetAside, isWalGone } from './log-notes.ts';
import { hasLostCommits } from './pages.ts';
import {
  finishSettingAside,
  isHalfSetAside,
  removeDatabase,
  removeSetAside,
  setAside,
  setAsideName,
} from './set-aside.ts';
import { isSuspect, suspectMark } from './suspect.ts';

export type Roots = Partial<Record<Stream, number>>;

export interface OpenedLog {
  readonly log: Log;
  /** What had to be done, for people; null when all was well. */
  readonly repair: string | null;
  /** Where the records of the damaged log stand, while not all of them are put back. */
  readonly toSalvage: Roots | null;
  /** No record of an earlier life has this seq or a higher one. */
  readonly firstSeq: Seq;
}

type Found = Omit<OpenedLog, 'firstSeq'>;

/**
 * Opens `log.db`; one that is damaged is set aside, and a new one takes over everything but the records, which `Salvage`
 * puts back. The new one keeps the epoch: no seq is ever given out twice, so its ids still name the same records.
 * What was begun is noted in `state.db`, and gone on with after a kill.
 * @throws SluiceError as `openForWriting` and `lookTwice`, but never `store_damaged`
 */
export function openLog(options: LogOptions, state: State): OpenedLog {
  const { file } = options;
  const wal = `${file}-wal`;
  if (isBegun(state) && isHalfSetAside(file)) finishSettingAside(file);
  // Opening it carries over what is left of the write-ahead log, and with it goes what shows that something is missing.
  if (!isSetAside(file, state) && (isWalGone(wal, state) || showsLostCommits(file, wal)))
    state.note(STATE_NOTES.logLostCommits, String(state.reservedSeq()));
  const opened = openTwice({ ...options, lostEpoch: state.noted(STATE_NOTES.logEpoch) }, state);
  const { log } = opened;
  const loss = opened.repair === null ? lossOf(log, file, state) : null;
  if (loss !== null) log.transaction(() => log.recovery.reportLostCommits());
  const firstSeq = log.records.lastSeq + 1;
  state.noteAll({
    [STATE_NOTES.logEpoch]: log.epoch,
    [STATE_NOTES.logRoots]: JSON.stringify(log.roots()),
    [STATE_NOTES.logNewest]: String(log.newestSeq()),
    [STATE_NOTES.logOpen]: String(firstSeq),
    [STATE_NOTES.logLostCommits]: undefined,
    [STATE_NOTES.logCarriedOver]: undefined,
  });
  // Before the first record: the good copy of this start says it too, and no cut of a write-ahead log takes it away.
  state.reserveSeq(firstSeq);
  return { ...opened, repair: loss ?? opened.repair ?? goneAside(opened, file), firstSeq };
}

/** What may be lost behind the end of a log that is whole, for people; null when nothing may, or that was told. */
function lossOf(log: Log, file: string, state: State): string | null {
  if (hasUntoldLoss({ newestSeq: log.newestSeq(), toldUpTo: log.recovery.toldUpTo }, state))
    return `the write-ahead log of ${file} is gone, damaged or another one, and with it what was stored last`;
  if (isStateBehind(log, state))
    return `nobody knows whether all that was stored last is in ${file}: state.db, which would show it, lacks its own end`;
  return null;
}

/** What it knows of the log may be older than the log: seqs are reserved before they are given out. */
function isStateBehind(log: Log, state: State): boolean {
  return lacksEnd(state, log) || state.reservedSeq() < log.newestSeq();
}

/** A part that the disk does not give is lost like one that is damaged. */
function showsLostCommits(file: string, wal: string): boolean {
  return lookTwice([file, wal], (believe) => {
    try {
      return hasLostCommits(wal);
    } catch (error) {
      believe(error);
      return true;
    }
  });
}

function openTwice(options: LogOptions, state: State): Found {
  try {
    return lookTwice([options.file, `${options.file}-wal`], (...doubts) => openOrReplace(options, state, doubts));
  } catch (error) {
    noteCarriedOver(options.file, state);
    throw error;
  }
}

/**
 * For a start that comes to no end, when it has closed the log: with the connection that was the last one the write-ahead log
 * is gone, and with it what showed that nothing is missing.
 */
export function noteCarriedOver(file: string, state: State): void {
  try {
    if (isWalGone(`${file}-wal`, state)) state.note(STATE_NOTES.logCarriedOver, '1');
  } catch {
    // On a disk that takes nothing: the next start tells of a loss that may be none. Why this one ends is what counts.
  }
}

/** Somebody removed what was not put back yet. How much is lost with it is told when the salvage ends. */
function goneAside({ toSalvage }: Found, file: string): string | null {
  const aside = setAsideName(file);
  if (toSalvage === null || isThere(aside)) return null;
  return `${aside} is gone, and with it what was not yet put back of it`;
}

/** A log that ends before this is not the one that this run wrote. */
export function noteLogGrown(state: State, log: Log): void {
  state.note(STATE_NOTES.logNewest, String(log.newestSeq()));
}

/** Whatever ends this run from now on, the log may be carried over by it; it then ends with this seq or a later one. */
export function noteLogClosing(state: State, log: Log): null {
  state.noteAll({ [STATE_NOTES.logNewest]: String(log.newestSeq()), [STATE_NOTES.logCarriedOver]: '1' });
  return null;
}

/** It is whole, and ends with its last commit. */
export function noteLogClosed(state: State, log: Log): void {
  noteLogGrown(state, log);
  state.note(STATE_NOTES.logOpen, undefined);
}

function openOrReplace(options: LogOptions, state: State, [believe, isAllGiven]: Parameters<Look<Found>>): Found {
  const { file } = options;
  let log: Log | undefined;
  try {
    if (!isSetAside(file, state)) refuseSuspect(options, isAllGiven);
    log = new Log(options);
    log.check();
    return goOn(log, file, state);
  } catch (error) {
    log?.abandon();
    if (!isDamage(error) && !isUnread(error)) throw error;
    believe(error);
    // Nothing was accepted yet into one beside which all of the damaged one still waits.
    if (isSetAside(file, state)) removeDatabase(file);
    else replace(file, state);
    const reason = messageOf(error);
    return takenOver(takeOver(new Log(options), file, state), reason, { file, state });
  }
}

/** @throws SluiceError `store_damaged` */
function refuseSuspect({ file, lostEpoch }: LogOptions, isAllGiven: boolean): void {
  if (isSuspect(file, isAllGiven)) throw damaged(file, 'it could not be read, or written to, when it ran last');
  if (lostEpoch !== undefined && isEmptyFile(file)) throw damaged(file, 'there is nothing in it');
}

function replace(file: string, state: State): void {
  state.note(STATE_NOTES.salvageRoots, state.noted(STATE_NOTES.logRoots));
  // What stands there from an earlier damage must not pass for this one.
  removeSetAside(file);
  state.note(STATE_NOTES.logSalvage, 'begun');
  setAside(file);
}

function takenOver(log: Log, reason: string, { file, state }: { file: string; state: State }): Found {
  const repair = `${reason}; it is set aside as ${setAsideName(file)}, and what can be read of it is put back`;
  return { log, repair, toSalvage: rootsToSalvage(state) };
}

/** A salvage may have been cut short by a kill, also before anything was taken over. */
function goOn(log: Log, file: string, state: State): Found {
  if (isSetAside(file, state) && log.isNew()) {
    return takenOver(takeOver(log, file, state), `${file} was found damaged before`, { file, state });
  }
  // As a version noted it that did not say in the log itself what was counted.
  if (state.noted(STATE_NOTES.logSalvage) === 'taken_over') log.transaction(() => log.recovery.resume());
  state.note(STATE_NOTES.logSalvage, undefined);
  const toSalvage = log.recovery.isUnfinished ? rootsToSalvage(state) : null;
  return { log, repair: null, toSalvage };
}

/** How much more there was than the damaged file still counts nobody knows, unless it was closed in good order, and is that one. */
function takeOver(log: Log, file: string, state: State): Log {
  log.transaction(() => {
    log.recovery.takeOver(setAsideName(file));
    if (state.noted(STATE_NOTES.logOpen) !== undefined || hasLost(log.newestSeq(), state) || isStateBehind(log, state))
      log.recovery.reportLostCommits();
  });
  // From now on only the new log knows that not all is put back: not in a write-ahead log, which may lose its end without a word.
  log.space.checkpoint('TRUNCATE');
  rmSync(suspectMark(file), { force: true });
  state.note(STATE_NOTES.logSalvage, undefined);
  return log;
}

function rootsToSalvage(state: State): Roots {
  return JSON.parse(state.noted(STATE_NOTES.salvageRoots) ?? '{}') as Roots;
}
