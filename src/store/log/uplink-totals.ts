import type Database from 'better-sqlite3';
import type { DayBytes } from '../../core/lane-log.ts';
import type { UplinkTotals } from '../../core/log-stats.ts';

interface Row {
  readonly uplink: string;
  replayed: number;
  sentDay: number;
  sentBytes: number;
}

/** What is counted per uplink and not per lane. Every method that writes belongs into a transaction that ends with `flush`. */
export class Totals {
  readonly #db: Database.Database;
  readonly #save: Database.Statement;
  readonly #dirty = new Set<Row>();
  #rows = new Map<string, Row>();

  constructor(db: Database.Database) {
    this.#db = db;
    this.#save = db.prepare(
      `INSERT INTO uplinks VALUES (?, ?, ?, ?) ON CONFLICT (uplink) DO UPDATE SET replayed = excluded.replayed,
         sent_day = excluded.sent_day, sent_bytes = excluded.sent_bytes`,
    );
    this.reload();
  }

  reload(): void {
    const rows = this.#db
      .prepare<[], Row>('SELECT uplink, replayed, sent_day AS sentDay, sent_bytes AS sentBytes FROM uplinks')
      .all();
    this.#rows = new Map(rows.map((row) => [row.uplink, row]));
    this.#dirty.clear();
  }

  addReplayed(uplink: string, count: number): void {
    if (count > 0) this.#change(uplink).replayed += count;
  }

  /** A day that is not the one of before begins anew, also when the clock was set back. */
  addSent(uplink: string, { day, bytes }: DayBytes): void {
    const row = this.#change(uplink);
    row.sentBytes = bytes + (row.sentDay === day ? row.sentBytes : 0);
    row.sentDay = day;
  }

  sentBytes(uplink: string, day: number): number {
    const row = this.#rows.get(uplink);
    return row?.sentDay === day ? row.sentBytes : 0;
  }

  flush(): void {
    for (const { uplink, replayed, sentDay, sentBytes } of this.#dirty) {
      this.#save.run(uplink, replayed, sentDay, sentBytes);
    }
    this.#dirty.clear();
  }

  stats(): UplinkTotals[] {
    return [...this.#rows.values()].map(({ uplink, replayed, sentDay, sentBytes }) => ({
      uplink,
      replayedCount: replayed,
      sent: sentDay === 0 ? null : { day: sentDay, bytes: sentBytes },
    }));
  }

  #change(uplink: string): Row {
    const row = this.#rows.get(uplink) ?? { uplink, replayed: 0, sentDay: 0, sentBytes: 0 };
    this.#rows.set(uplink, row);
    this.#dirty.add(row);
    return row;
  }
}
