import { existsSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { codeOf, messageOf, SluiceError } from '../core/errors.ts';
import { firstPage, PAGE_BYTES } from './disk-reads.ts';
import { damaged, isDamageAtOpening } from './file-errors.ts';
import { hasRightColumns, migrate } from './format.ts';
import { defineRowSum } from './row-sum.ts';

export type Durability = 'full' | 'relaxed';

export interface OpenOptions {
  readonly file: string;
  /** Steps from an empty file to the newest format; `user_version` says how many were taken. */
  readonly migrations: readonly string[];
  readonly durability: Durability;
  /** The write-ahead log is carried over into the database when it is longer than this. */
  readonly walBytes: number;
  /** Refuses to make a file where there is none: a disk that is gone leaves an empty directory behind. */
  readonly mustExist?: boolean;
}

const WRITE_VERSION_AT = 18;
const WAL_VERSION = 2;
const INCREMENTAL = 2;

/**
 * Opens (or makes) one of the store's files for writing, brings it to the newest format, and checks what the
 * promise rests on: `synchronous` falls back to NORMAL when an existing WAL file is opened, so it is set and read back.
 * @throws SluiceError `store_damaged`, `store_too_new`, `store_unusable`
 */
export function openForWriting({ file, migrations, mustExist = false, ...settings }: OpenOptions): Database.Database {
  const db = new Database(file, { fileMustExist: mustExist });
  try {
    settle(db, { file, ...settings });
    tryToWrite(db);
    defineRowSum(db);
    migrate(db, file, migrations);
    if (!hasRightColumns(db, migrations)) throw damaged(file, 'its schema is not what was written');
    carryOver(db);
    return db;
  } catch (error) {
    db.close();
    if (codeOf(error) === 'SQLITE_READONLY' && isMarkedReadOnly(file)) throw damaged(file, MARKED_READ_ONLY);
    throw isDamageAtOpening(error) && !(error instanceof SluiceError) ? damaged(file, messageOf(error)) : error;
  }
}

/** SQLite opens what it may not write for reading, and says nothing. What is rolled back reaches no disk. */
function tryToWrite(db: Database.Database): void {
  const version = db.pragma('user_version', { simple: true });
  db.exec('BEGIN IMMEDIATE');
  try {
    db.pragma(`user_version = ${version}`);
  } finally {
    if (db.inTransaction) db.exec('ROLLBACK');
  }
}

export const MARKED_READ_ONLY = 'only a later SQLite may write it';

/** Of a file that is there, as it is without its write-ahead log [sqlite.org/fileformat2.html#file_format_version_numbers]. */
export function isMarkedReadOnly(file: string): boolean {
  return firstPage(file).readUInt8(WRITE_VERSION_AT) > WAL_VERSION;
}

function settle(
  db: Database.Database,
  { file, durability, walBytes }: Omit<OpenOptions, 'migrations' | 'mustExist'>,
): void {
  const wanted = durability === 'full' ? 2 : 1;
  // Only before the first table does this take effect; set again, it would be written again, by a commit without a sync.
  if (db.pragma('auto_vacuum', { simple: true }) !== INCREMENTAL) db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  db.pragma(`synchronous = ${wanted}`);
  db.pragma('busy_timeout = 5000');
  db.pragma('temp_store = MEMORY');
  // A bad card then gives an error, not a SIGBUS.
  db.pragma('mmap_size = 0');
  db.pragma('cache_size = -2048');
  db.pragma(`wal_autocheckpoint = ${Math.ceil(walBytes / PAGE_BYTES)}`);
  db.pragma(`journal_size_limit = ${walBytes}`);
  if (db.pragma('synchronous', { simple: true }) !== wanted || db.pragma('journal_mode', { simple: true }) !== 'wal') {
    throw new SluiceError(`${file}: SQLite did not take the settings that durability rests on`, {
      code: 'store_unusable',
      hint: 'use a local file system; network file systems cannot hold the store',
    });
  }
}

/**
 * Carries what an earlier process left in the write-ahead log over into the database, and syncs that. What the kernel
 * still gives back of the log need not be on the disk: after an fsync that failed its pages count as written, and a
 * commit behind them would be lost with them at a power cut [lwn.net/Articles/752063].
 */
function carryOver(db: Database.Database): void {
  db.pragma('wal_checkpoint(TRUNCATE)');
}

/** SQLite begins a new database in a file without a byte, and removes the write-ahead log beside it, also when it only reads. */
export function isEmptyFile(file: string): boolean {
  return (statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0;
}

/** A connection of its own that can never write. Short reads only: an open statement keeps the WAL from shrinking. */
export function openForReading(file: string): Database.Database {
  return settleForReading(new Database(file, { readonly: true, fileMustExist: true }));
}

/**
 * The same without a trace: to read a file that was closed in good order SQLite makes a write-ahead log beside it, and only a
 * connection that could write takes it away again, when it is the last. Where there is one, that would be carried over.
 */
export function openForLooking(file: string): Database.Database {
  if (existsSync(`${file}-wal`)) return openForReading(file);
  const db = settleForReading(new Database(file, { fileMustExist: true }));
  db.pragma('query_only = 1');
  return db;
}

function settleForReading(db: Database.Database): Database.Database {
  db.pragma('busy_timeout = 5000');
  db.pragma('mmap_size = 0');
  db.pragma('cache_size = -1024');
  return db;
}

/** One look, without a trace. */
export function lookAt<T>(file: string, look: (db: Database.Database) => T): T {
  const db = openForLooking(file);
  try {
    return look(db);
  } finally {
    db.close();
  }
}
