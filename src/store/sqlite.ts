import { Buffer } from 'node:buffer';
import { closeSync, existsSync, openSync, readSync, statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { codeOf, messageOf, SluiceError } from '../core/errors.ts';
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

const PAGE_BYTES = 4096;
const WRITE_VERSION_AT = 18;
const WAL_VERSION = 2;
/** Far beyond any that there will be. */
const MAX_FORMAT = 1_000;
/** "SL", in front of the format in `application_id`. */
const FORMAT_MARK = 0x534c_0000;
const INCREMENTAL = 2;
/** SQLite's, and those of Node's own calls. Where less is on the disk than was written, only a new process finds out what is. */
const FAILING = /^(SQLITE_(IOERR(?!_SHORT_READ)|READONLY|CANTOPEN|PERM)|EIO$|EROFS$|ENXIO$|ENODEV$|ESTALE$)/;
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT|IOERR_SHORT_READ)/;
const DAMAGED_SCHEMA = /^SQLITE_(ERROR|SCHEMA|CONSTRAINT)/;

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
  return firstBytes(file).readUInt8(WRITE_VERSION_AT) > WAL_VERSION;
}

/** Zeros for what is behind the end. */
function firstBytes(file: string): Buffer {
  const fd = openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(PAGE_BYTES);
    readSync(fd, bytes, 0, PAGE_BYTES, 0);
    return bytes;
  } finally {
    closeSync(fd);
  }
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

/** What is there is not what was written. */
export function isDamage(error: unknown): boolean {
  return DAMAGED.test(codeOf(error) ?? '') || (error instanceof SluiceError && error.code === 'store_damaged');
}

/** False also when it fails for another reason: that is no damage. */
export function meetsDamage(work: () => void): boolean {
  try {
    work();
    return false;
  } catch (error) {
    return isDamage(error);
  }
}

/** As `isDamage`, while a file is opened: no statement fails by itself on one whose schema is as it was written. */
export function isDamageAtOpening(error: unknown): boolean {
  return isDamage(error) || DAMAGED_SCHEMA.test(codeOf(error) ?? '');
}

export function damaged(file: string, what: string): SluiceError {
  return new SluiceError(`${file} is damaged: ${what}`, {
    code: 'store_damaged',
    hint: 'the next start sets it aside and puts back what can be read',
  });
}

/** @throws SluiceError `store_too_new`, `store_damaged` */
export function refuseNewer(db: Database.Database, file: string, migrations: readonly string[]): void {
  const version = formatOf(db, migrations);
  if (version < 0 || version > MAX_FORMAT) throw damaged(file, `there is no format ${version}`);
  if (version <= migrations.length) return;
  throw new SluiceError(`${file} was written by a newer version of Sluice (format ${version})`, {
    code: 'store_too_new',
    hint: `install that version again; this one reads formats up to ${migrations.length}`,
  });
}

/**
 * How many of its migrations were applied. That stands twice, so that damage to one of them is told from a newer version:
 * where they differ, that is right whose tables are there. With other tables it is left to a newer version.
 */
export function formatOf(db: Database.Database, migrations: readonly string[]): number {
  const formats = formatsIn(db);
  const [version = 0, marked = version] = formats;
  if (version === marked) return version;
  return (
    formats.find((format) => format <= migrations.length && hasColumnsOf(db, migrations, format)) ??
    Math.max(...formats)
  );
}

function migrate(db: Database.Database, file: string, migrations: readonly string[]): void {
  refuseNewer(db, file, migrations);
  for (let next = formatOf(db, migrations); next < migrations.length; next++) {
    db.transaction(() => {
      db.exec(migrations[next] ?? '');
      noteFormat(db, next + 1);
    }).immediate();
  }
  const [version, marked] = formatsIn(db);
  if (version !== migrations.length || marked !== version) noteFormat(db, migrations.length);
}

/** As `user_version` and, but in a file of an earlier version, `application_id` have it. */
function formatsIn(db: Database.Database): readonly number[] {
  const [version, id] = ['user_version', 'application_id'].map((name) => Number(db.pragma(name, { simple: true })));
  const marked = (id ?? 0) - FORMAT_MARK;
  return [version ?? 0, ...(marked > 0 && marked <= MAX_FORMAT ? [marked] : [])];
}

function noteFormat(db: Database.Database, format: number): void {
  db.transaction(() => {
    db.pragma(`user_version = ${format}`);
    db.pragma(`application_id = ${FORMAT_MARK + format}`);
  })();
}

/**
 * Whether the columns of all tables are those of the file's format: what is asked for by the name of a column is answered
 * wrongly when a letter of that is damaged.
 */
export function hasRightColumns(db: Database.Database, migrations: readonly string[]): boolean {
  return hasColumnsOf(db, migrations, formatOf(db, migrations));
}

function hasColumnsOf(db: Database.Database, migrations: readonly string[], format: number): boolean {
  const wanted = new Database(':memory:');
  for (const migration of migrations.slice(0, format)) wanted.exec(migration);
  const isRight = columnsOf(db) === columnsOf(wanted);
  wanted.close();
  return isRight;
}

function columnsOf(db: Database.Database): string {
  const columns = `SELECT tables.name, columns.* FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%' ORDER BY tables.name, columns.cid`;
  return JSON.stringify(db.prepare(columns).raw().all());
}

/** What keeps anything from being written. */
export interface DiskFault {
  /** `broken`: until the files are opened again; the others pass by themselves. */
  readonly kind: 'full' | 'busy' | 'broken';
  /** For people. */
  readonly reason: string;
}

/**
 * Why a file cannot be read at all, or undefined: SQLite calls a file damaged when the disk gives an error instead of a page.
 * Only to be asked when there is damage, because it may end locks that SQLite has on the file.
 */
export function readErrorOf(file: string): unknown {
  try {
    firstBytes(file);
  } catch (error) {
    if (diskFaultOf(error) !== undefined) return error;
  }
  return undefined;
}

/** undefined for what no disk does: that must not be survived by guessing. */
export function diskFaultOf(error: unknown): DiskFault | undefined {
  const code = codeOf(error) ?? '';
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return { kind: 'full', reason: 'the disk is full' };
  if (code === 'SQLITE_BUSY') return { kind: 'busy', reason: 'another program holds the store' };
  if (!FAILING.test(code)) return undefined;
  // SQLite says the same of a file that it may not write.
  const isReadOnly = code.startsWith('SQLITE_READONLY') || code === 'EROFS';
  const reason = isReadOnly
    ? 'the disk is read-only, or log.db or state.db belongs to another user'
    : `the disk fails (${messageOf(error)}, ${code})`;
  return { kind: 'broken', reason };
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
