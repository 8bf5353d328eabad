import { statSync } from 'node:fs';
import type Database from 'better-sqlite3';

/** What `log.db` takes on the disk, and gives back to it. */
export class Space {
  readonly #db: Database.Database;
  readonly #file: string;
  readonly #pageBytes: number;

  constructor(db: Database.Database, file: string) {
    this.#db = db;
    this.#file = file;
    this.#pageBytes = Number(db.pragma('page_size', { simple: true }));
  }

  /** Bytes of the pages that hold something. */
  usedBytes(): number {
    return (this.#count('page_count') - this.#count('freelist_count')) * this.#pageBytes;
  }

  /** Bytes of the pages that hold nothing. */
  freeBytes(): number {
    return this.#count('freelist_count') * this.#pageBytes;
  }

  /** Bytes of the write-ahead log as it is now. */
  walBytes(): number {
    return statSync(`${this.#file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** Gives so many bytes of free pages back to the file system. */
  giveBack(bytes: number): void {
    this.#db.pragma(`incremental_vacuum(${Math.ceil(bytes / this.#pageBytes)})`);
  }

  /** Carries the write-ahead log over into the database file and makes it durable. */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.#db.pragma(`wal_checkpoint(${mode})`);
  }

  #count(name: 'page_count' | 'freelist_count'): number {
    return Number(this.#db.pragma(name, { simple: true }));
  }
}
