import Database from 'better-sqlite3';
import { codeOf, messageOf, SluiceError } from '../core/errors.ts';

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
const INCREMENTAL = 2;
/** SQLite's, and those of Node's own calls. Where less is on the disk than was written, only a new process finds out what is. */
const FAILING = /^(SQLITE_(IOERR(?!_SHORT_READ)|READONLY|CANTOPEN|PERM)|EIO$|EROFS$|ENXIO$|ENODEV$|ESTALE$)/;
const DAMAGED = /^SQLITE_(NOTADB|CORRUPT|IOERR_SHORT_READ)/;

/**
 * Opens (or makes) one of the store's files for writing, brings it to the newest format, and checks what the
 * promise rests on: `synchronous` falls back to NORMAL when an existing WAL file is opened, so it is set and read back.
 * @throws SluiceError `store_damaged`, `store_too_new`, `store_unusable`
 */
export function openForWriting({ file, migrations, mustExist = false, ...settings }: OpenOptions): Database.Database {
  const db = new Database(file, { fileMustExist: mustExist });
  try {
    settle(db, { file, ...settings });
    migrate(db, file, migrations);
    carryOver(db);
    return db;
  } catch (error) {
    db.close();
    throw isDamage(error) ? damaged(file, messageOf(error)) : error;
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

/** What is there is not what was written. */
export function isDamage(error: unknown): boolean {
  return DAMAGED.test(codeOf(error) ?? '') || (error instanceof SluiceError && error.code === 'store_damaged');
}

export function damaged(file: string, what: string): SluiceError {
  return new SluiceError(`${file} is damaged: ${what}`, {
    code: 'store_damaged',
    hint: 'the next start sets it aside and puts back what can be read',
  });
}

function migrate(db: Database.Database, file: string, migrations: readonly string[]): void {
  const version = Number(db.pragma('user_version', { simple: true }));
  if (version > migrations.length) {
    throw new SluiceError(`${file} was written by a newer version of Sluice (format ${version})`, {
      code: 'store_too_new',
      hint: `install that version again; this one reads formats up to ${migrations.length}`,
    });
  }
  for (let next = version; next < migrations.length; next++) {
    db.transaction(() => {
      db.exec(migrations[next] ?? '');
      db.pragma(`user_version = ${next + 1}`);
    }).immediate();
  }
}

/** What keeps anything from being written. */
export interface DiskFault {
  /** `broken`: until the files are opened again; the others pass by themselves. */
  readonly kind: 'full' | 'busy' | 'broken';
  /** For people. */
  readonly reason: string;
}

/** undefined for what no disk does: that must not be survived by guessing. */
export function diskFaultOf(error: unknown): DiskFault | undefined {
  const code = codeOf(error) ?? '';
  if (code === 'SQLITE_FULL' || code === 'ENOSPC') return { kind: 'full', reason: 'the disk is full' };
  if (code === 'SQLITE_BUSY') return { kind: 'busy', reason: 'another program holds the store' };
  if (!FAILING.test(code)) return undefined;
  const isReadOnly = code.startsWith('SQLITE_READONLY') || code === 'EROFS';
  const reason = isReadOnly ? 'the disk is read-only' : `the disk fails (${messageOf(error)}, ${code})`;
  return { kind: 'broken', reason };
}

/** A connection of its own that can never write. Short reads only: an open statement keeps the WAL from shrinking. */
export function openForReading(file: string): Database.Database {
  const db = new Database(file, { readonly: true, fileMustExist: true });
  db.pragma('busy_timeout = 5000');
  db.pragma('mmap_size = 0');
  db.pragma('cache_size = -1024');
  return db;
}
