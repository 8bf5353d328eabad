import type Database from 'better-sqlite3';
import type { BootStart } from '../../core/record.ts';

/** Of those with a synchronisation; the oldest make room. */
const MAX_BOOTS = 256;

/** When boots of the machine began, for `Corrections`. Belongs into the store's transaction. */
export class Boots {
  readonly #insert: Database.Statement;
  readonly #trim: Database.Statement;

  constructor(db: Database.Database) {
    this.#insert = db.prepare('INSERT OR IGNORE INTO boots (boot_id, started_at) VALUES (?, ?)');
    this.#trim = db.prepare(
      `DELETE FROM boots WHERE id NOT IN (SELECT id FROM boots ORDER BY id DESC LIMIT ${MAX_BOOTS})`,
    );
  }

  /** The first word counts: what was sent twice must not be sent with two corrected times. */
  note({ bootId, startedAt }: BootStart): void {
    if (this.#insert.run(bootId, startedAt).changes > 0) this.#trim.run();
  }
}
