import type Database from 'better-sqlite3';
import type { Seq } from '../../core/record.ts';

/** One is written at each start and each time the clock is set; the oldest make room. */
const MAX_TIMES = 64;

interface KnownTime {
  readonly seq: Seq;
  /** UTC milliseconds: what was stored up to `seq` was stored before. */
  readonly at: number;
}

/**
 * Moments of which the clock was sure, in terms of seqs. They bound from above when a record was accepted whose own time
 * cannot be trusted. Belongs into the store's transaction.
 */
export class KnownTimes {
  readonly #all: Database.Statement<[], KnownTime>;
  readonly #insert: Database.Statement;
  readonly #trim: Database.Statement;

  constructor(db: Database.Database) {
    this.#all = db.prepare('SELECT seq, at FROM known_times ORDER BY seq');
    this.#insert = db.prepare(
      'INSERT INTO known_times VALUES (?, ?) ON CONFLICT (seq) DO UPDATE SET at = min(at, excluded.at)',
    );
    this.#trim = db.prepare(
      `DELETE FROM known_times WHERE seq NOT IN (SELECT seq FROM known_times ORDER BY seq DESC LIMIT ${MAX_TIMES})`,
    );
  }

  add(seq: Seq, at: number): void {
    this.#insert.run(seq, at);
    this.#trim.run();
  }

  /** The latest that a record can have been accepted, by its seq; Infinity where nothing is known. */
  bounds(): (seq: Seq) => number {
    const times = this.#all.all();
    return (seq) =>
      times.reduce((bound, time) => (time.seq < seq ? bound : Math.min(bound, time.at)), Number.POSITIVE_INFINITY);
  }
}
