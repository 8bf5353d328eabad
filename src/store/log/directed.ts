import type Database from 'better-sqlite3';
import type { Seq } from '../../core/record.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';

/**
 * Records that are for one uplink alone: gaps, and rejects that were retried. The bodies say so too, but counts must
 * hold when a body is damaged. Belongs into the store's transaction.
 */
export class Directed {
  readonly #insert: Database.Statement;
  readonly #uplink: Database.Statement<[string, number], string>;
  readonly #others: Database.Statement<[string, string], number>;
  readonly #remove: Database.Statement;
  readonly #total: Database.Statement<[string], number>;
  /** Most streams hold none, and then nothing is looked up. */
  readonly #counts = new Map<Stream, number>();

  constructor(db: Database.Database) {
    this.#insert = db.prepare('INSERT INTO directed (stream, seq, uplink) VALUES (?, ?, ?)');
    this.#uplink = db
      .prepare<[string, number], string>('SELECT uplink FROM directed WHERE stream = ? AND seq = ?')
      .pluck();
    this.#others = db
      .prepare<[string, string], number>('SELECT count(*) FROM directed WHERE stream = ? AND uplink <> ?')
      .pluck();
    this.#remove = db.prepare('DELETE FROM directed WHERE stream = ? AND seq <= ?');
    this.#total = db.prepare<[string], number>('SELECT count(*) FROM directed WHERE stream = ?').pluck();
    this.reload();
  }

  add(stream: Stream, seq: Seq, uplink: string): void {
    this.#insert.run(stream, seq, uplink);
    this.#counts.set(stream, this.#countOf(stream) + 1);
  }

  isFor(uplink: string, stream: Stream, seq: Seq): boolean {
    return this.#countOf(stream) === 0 || (this.#uplink.get(stream, seq) ?? uplink) === uplink;
  }

  /** As `add`, of a record that may stand here already. */
  restore(stream: Stream, seq: Seq, uplink: string): void {
    if (this.#uplink.get(stream, seq) === undefined) this.add(stream, seq, uplink);
  }

  /** Stored records of the stream that are for another uplink. */
  countForOthers(uplink: string, stream: Stream): number {
    return this.#countOf(stream) === 0 ? 0 : (this.#others.get(stream, uplink) ?? 0);
  }

  removeUpTo(stream: Stream, seq: Seq): void {
    const count = this.#countOf(stream);
    if (count > 0) this.#counts.set(stream, count - this.#remove.run(stream, seq).changes);
  }

  reload(): void {
    for (const stream of STREAMS) this.#counts.set(stream, this.#total.get(stream) ?? 0);
  }

  #countOf(stream: Stream): number {
    return this.#counts.get(stream) ?? 0;
  }
}
