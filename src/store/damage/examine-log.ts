import { existsSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { formatOf, hasRightColumns, refuseNewer } from '../format.ts';
import { problemOfCounts } from '../log/check-counts.ts';
import { lanesProblemOf } from '../log/lane-rows.ts';
import { Lanes } from '../log/lanes.ts';
import { Ranges } from '../log/ranges.ts';
import { Records } from '../log/records.ts';
import { LOG_MIGRATIONS } from '../log/schema.ts';
import { LOG_NOTES, notedIn, STATE_NOTES } from '../notes.ts';
import { lookAt } from '../sqlite.ts';
import { type Finding, findingsOf, headProblemOf, walProblemsOf } from './finding.ts';
import { hasUntoldLoss, isSetAside, isWalGone, type LogNotes } from './log-notes.ts';
import { suspicionOf } from './suspect.ts';

/** What a start would find wrong with `log.db`, and more: a start does not read all of it. */
export function examineLog(file: string, notes: LogNotes): Finding[] {
  if (!existsSync(file)) return missing(file, notes);
  // To open a file may make a write-ahead log where there was none.
  const findings = [...examineWal(file, notes)];
  const suspicion = suspicionOf(file);
  if (suspicion !== null) findings.push({ file, kind: 'repair', text: suspicion });
  return [
    ...findings,
    ...findingsOf(file, () => {
      const problem = headProblemOf(file) ?? lookAt(file, problemOf(file));
      if (problem !== null) return [`it is damaged: ${problem}`];
      const isShort = findings.length === 0 && lookAt(file, (db) => hasUntoldLoss(endOf(db), notes));
      return isShort ? ['what was stored last is not in it'] : [];
    }),
  ];
}

function missing(file: string, notes: LogNotes): Finding[] {
  if (isSetAside(file, notes)) return [];
  const isKnown = notes.noted(STATE_NOTES.logEpoch) !== undefined;
  const text = isKnown ? 'it is gone' : 'it does not exist; the next start makes a new one';
  return [{ file, kind: isKnown ? 'repair' : 'note', text }];
}

function examineWal(file: string, notes: LogNotes): Finding[] {
  const wal = `${file}-wal`;
  if (isSetAside(file, notes)) return [];
  const kind = 'repair';
  if (isWalGone(wal, notes)) {
    return [{ file, kind, text: 'its write-ahead log is gone, and with it what was stored last' }];
  }
  return walProblemsOf(wal).map((text) => ({ file, kind, text }));
}

/** Positions have checksums; those of records are read one by one. */
function problemOf(file: string): (db: Database.Database) => string | null {
  return (db) => {
    refuseNewer(db, file, LOG_MIGRATIONS);
    const result = String(db.pragma('quick_check(1)', { simple: true }));
    if (result !== 'ok') return result.replaceAll('\n', ' ');
    if (!hasRightColumns(db, LOG_MIGRATIONS)) return 'its schema is not what was written';
    return lanesProblemOf(db) ?? countsProblemOf(db);
  };
}

/** As of one moment. A log of an earlier format is counted when the next start has brought it to this one. */
function countsProblemOf(db: Database.Database): string | null {
  if (formatOf(db, LOG_MIGRATIONS) !== LOG_MIGRATIONS.length) return null;
  return db.transaction(() => {
    const records = new Records(db, { reservedSeq: () => 0, reserveSeq: () => 0 });
    return problemOfCounts(db, { records, lanes: new Lanes(db, records, new Ranges(db)) });
  })();
}

function endOf(db: Database.Database): Parameters<typeof hasUntoldLoss>[0] {
  const newestSeq = db.prepare<[], number>('SELECT coalesce(max(last_seq), 0) FROM streams').pluck().get() ?? 0;
  return { newestSeq, toldUpTo: Number(notedIn(db, LOG_NOTES.toldUpTo) ?? 0) };
}
