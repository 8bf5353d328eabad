import type { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { BootTime, StoredRecord } from '../../core/record.ts';
import { bootTimeOf, receivedAtOf } from '../../core/record-codec.ts';

/**
 * The true times of records that were accepted before the clock was synchronised, as far as it was in the same boot.
 * Records are never rewritten: they are corrected whenever they are read.
 */
export class Corrections {
  readonly #db: Database.Database;
  #startOf: Database.Statement<[string], number> | undefined;

  constructor(db: Database.Database) {
    this.#db = db;
  }

  apply(record: StoredRecord): StoredRecord {
    const receivedAt = this.#timeOf(record.bootTime);
    return receivedAt === undefined ? record : { ...record, receivedAt, timeQuality: 'corrected' };
  }

  /** Of a record that is intact. */
  receivedAt(body: Buffer): number {
    return this.#timeOf(bootTimeOf(body)) ?? receivedAtOf(body);
  }

  #timeOf(bootTime: BootTime | undefined): number | undefined {
    if (bootTime === undefined) return undefined;
    // Not before it is needed: a file of an older format has neither such records nor the table.
    this.#startOf ??= this.#db.prepare<[string], number>('SELECT started_at FROM boots WHERE boot_id = ?').pluck();
    const startedAt = this.#startOf.get(bootTime.bootId);
    return startedAt === undefined ? undefined : startedAt + bootTime.uptimeMs;
  }
}
