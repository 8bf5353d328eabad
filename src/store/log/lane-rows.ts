import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';
import type { LaneId } from '../../core/lane-log.ts';
import { printable } from '../../core/printable.ts';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { damaged } from '../file-errors.ts';

/** A lane as it is on disk. */
export interface LaneRow {
  readonly uplink: string;
  readonly stream: Stream;
  readonly cursor: Seq;
  readonly base: number;
  readonly delivered: number;
  readonly rejected: number;
  readonly dropped: number;
  readonly done: Seq;
}

/** A row with the checksum that stands beside it; null in one of an earlier format. */
interface SummedRow extends LaneRow {
  readonly sum: number | null;
}

export interface DropRow {
  readonly uplink: string;
  readonly stream: Stream;
  readonly reason: string;
  readonly count: number;
}

/** The tables `lanes` and `drops`. Methods that write belong into the store's transaction. */
export class LaneRows {
  readonly #db: Database.Database;
  readonly #save: Database.Statement;

  constructor(db: Database.Database) {
    this.#db = db;
    this.#save = db.prepare('INSERT OR REPLACE INTO lanes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)');
  }

  /** `isSummed`: false for one of an earlier format, which is to be saved. @throws SluiceError `store_damaged` */
  load(): (LaneRow & { readonly isSummed: boolean })[] {
    const rows = read(this.#db);
    const problem = problemOf(rows);
    if (problem !== null) throw damaged('log.db', problem);
    return rows.map(({ sum, ...row }) => ({ ...row, isSummed: sum !== null }));
  }

  save(row: LaneRow): void {
    this.#save.run(...columnsOf(row), sumOf(row));
  }

  /** Lanes whose rows are damaged, with all that belongs to them. False when there are none. */
  removeDamaged(): boolean {
    const rows = read(this.#db).filter((row) => !isIntact(row));
    const remove = this.#db.prepare('DELETE FROM lanes WHERE uplink = ? AND stream = ?');
    for (const { uplink, stream } of rows) remove.run(uplink, stream);
    for (const table of ['drops', 'ranges']) {
      this.#db.exec(`DELETE FROM ${table} WHERE (uplink, stream) NOT IN (SELECT uplink, stream FROM lanes)`);
    }
    return rows.length > 0;
  }

  addDrop(
    { uplink, stream }: LaneId,
    { reason, count, bytes }: { reason: string; count: number; bytes: number },
  ): void {
    this.#db
      .prepare(
        `INSERT INTO drops VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (uplink, stream, reason) DO UPDATE SET count = count + excluded.count,
           bytes = bytes + excluded.bytes`,
      )
      .run(uplink, stream, reason, count, bytes);
  }

  drops(): DropRow[] {
    return this.#db.prepare<[], DropRow>('SELECT uplink, stream, reason, count FROM drops').all();
  }
}

/** What is wrong with the positions of a log, in words, or null. SQLite does not notice a flipped bit in one. */
export function lanesProblemOf(db: Database.Database): string | null {
  const hasSums = db.prepare<[]>("SELECT 1 FROM pragma_table_info('lanes') WHERE name = 'sum'").get() !== undefined;
  return hasSums ? problemOf(read(db)) : null;
}

function problemOf(rows: readonly SummedRow[]): string | null {
  const names = rows.filter((row) => !isIntact(row)).map(({ uplink, stream }) => printable(`${uplink}/${stream}`));
  return names.length === 0 ? null : `the checksums of positions do not hold: ${names.join(', ')}`;
}

function read(db: Database.Database): SummedRow[] {
  return db.prepare<[], SummedRow>('SELECT * FROM lanes').all();
}

function isIntact({ sum, ...row }: SummedRow): boolean {
  return sum === null || sum === sumOf(row);
}

function sumOf(row: LaneRow): number {
  return crc32(JSON.stringify(columnsOf(row)));
}

function columnsOf({ uplink, stream, cursor, base, delivered, rejected, dropped, done }: LaneRow) {
  return [uplink, stream, cursor, base, delivered, rejected, dropped, done];
}
