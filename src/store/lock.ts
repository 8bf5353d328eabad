import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { codeOf, SluiceError } from '../core/errors.ts';
import { readErrorOf, unreadable } from './disk-reads.ts';

/**
 * One daemon per data directory. An exclusive SQLite transaction on a file of its own: the operating system ends it
 * with the process, however that ends, so a stale lock cannot exist.
 */
export class DataDirLock {
  readonly #db: Database.Database;
  readonly #pidFile: string;

  /**
   * Makes the directory when it is missing. @throws SluiceError `locked`, naming the pid of the one that holds it;
   * `store_unreadable` when the disk gives errors; `data_dir_unusable`
   */
  constructor(dataDir: string) {
    this.#pidFile = join(dataDir, 'sluice.pid');
    try {
      makeDirectory(dataDir);
      this.#db = new Database(join(dataDir, 'lock'), { timeout: 0 });
      this.#db.exec('BEGIN EXCLUSIVE');
      writeFileSync(this.#pidFile, `${process.pid}\n`);
    } catch (error) {
      throw this.#explain(error, dataDir);
    }
  }

  release(): void {
    rmSync(this.#pidFile, { force: true });
    this.#db.close();
  }

  #explain(error: unknown, dataDir: string): SluiceError {
    if (codeOf(error) === 'SQLITE_BUSY') {
      return new SluiceError(`${dataDir} is in use by the gateway with pid ${this.#holder()}`, {
        code: 'locked',
        hint: 'stop that one first, or give this one another gateway.dataDir',
      });
    }
    if (readErrorOf(join(dataDir, 'lock')) !== undefined) return unreadable(`anything of ${dataDir}`);
    return new SluiceError(`cannot write to the data directory ${dataDir}`, {
      code: 'data_dir_unusable',
      hint: 'set gateway.dataDir to a directory on a local disk that this user may write to',
      cause: error,
    });
  }

  #holder(): string {
    try {
      return readFileSync(this.#pidFile, 'utf8').trim();
    } catch {
      return 'unknown';
    }
  }
}

/** With its parents. Node.js' own `recursive` never returns where a file system refuses directories, such as /proc. */
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o750 });
  syncDirectory(dirname(path));
}

/** SQLite syncs the directory of its files, but not the one above: a power cut could take all of a first start. */
function syncDirectory(path: string): void {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
