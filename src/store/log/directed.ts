import type Database from 'better-sqlite3';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';

/**
 * Records that are for one uplink alone: rejects that were retried. The bodies say so too, but counts must hold when a
 * body is damaged. Gaps are not here: each is for the uplink in its channel. Belongs into the store's transaction.
 */
export class Directed {
  readonly #insert: Database.Statement;
  readonly #uplink: Database.Statement<[string, number], string>;
  readonly #others: Database.Statement<[string, string], number>;
  readonly #remove: Database.Statement;
  readonly #total: Database.Statement<[], number>;
  #count = 0;

  constructor(db: Database.Database) {
    this.#insert = db.prepare('INSERT INTO directed (stream, seq, uplink) VALUES (?, ?, ?)');
    this.#uplink = db
      .prepare<[string, number], string>('SELECT uplink FROM directed WHERE stream = ? AND seq = ?')
      .pluck();
    this.#others = db
      .prepare<[string, string], number>('SELECT count(*) FROM directed WHERE stream = ? AND uplink <> ?')
      .pluck();
    this.#remove = db.prepare('DELETE FROM directed WHERE stream = ? AND seq <= ?');
    this.#total = db.prepare<[], number>('SELECT count(*) FROM directed').pluck();
    this.reload();
  }

  add(stream: Stream, seq: Seq, uplink: string): void {
    this.#insert.run(stream, seq, uplink);
    this.#count += 1;
  }

  isFor(uplink: string, stream: Stream, seq: Seq): boolean {
    return this.#count === 0 || (this.#uplink.get(stream, seq) ?? uplink) === uplink;
  }

  /** Stored records of the stream that are for another uplink. */
  countForOthers(uplink: string, stream: Stream): number {
    return this.#count === 0 ? 0 : (this.#others.get(stream, uplink) ?? 0);
  }

  removeUpTo(stream: Stream, seq: Seq): void {
    if (this.#count > 0) this.#count -= this.#remove.run(stream, seq).changes;
  }

  reload(): void {
    this.#count = this.#total.get() ?? 0;
  }
}
