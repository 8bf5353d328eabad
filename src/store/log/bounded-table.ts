import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';

/** For what a row has beside the columns that are measured. */
const ROW_BYTES = 100;

export interface BoundedTableOptions {
  readonly table: string;
  /** Those whose length the outside decides. */
  readonly columns: readonly string[];
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** A table with an ascending `id` whose oldest rows make room for new ones. Belongs into the store's transaction. */
export class BoundedTable {
  readonly #measure: Database.Statement<[], { rows: number; bytes: number }>;
  readonly #remove: Database.Statement<[number], number>;
  readonly #oldest: Database.Statement<[], number>;
  readonly #maxRows: number;
  readonly #maxBytes: number;
  rows = 0;
  #bytes = 0;

  constructor(db: Database.Database, { table, columns, maxRows, maxBytes }: BoundedTableOptions) {
    this.#maxRows = maxRows;
    this.#maxBytes = maxBytes;
    const size = [ROW_BYTES, ...columns.map((column) => `octet_length(${column})`)].join(' + ');
    this.#measure = db.prepare(`SELECT count(*) AS rows, coalesce(sum(${size}), 0) AS bytes FROM ${table}`);
    this.#remove = db.prepare<[number], number>(`DELETE FROM ${table} WHERE id = ? RETURNING ${size}`).pluck();
    this.#oldest = db.prepare<[], number>(`SELECT min(id) FROM ${table}`).pluck();
    this.reload();
  }

  reload(): void {
    const { rows, bytes } = this.#measure.get() ?? { rows: 0, bytes: 0 };
    this.rows = rows;
    this.#bytes = bytes;
  }

  /** To be called right before an insert; `values`: of the columns that count. */
  makeRoomFor(values: readonly (string | Uint8Array)[]): void {
    this.rows += 1;
    this.#bytes += values.reduce((sum, value) => sum + Buffer.byteLength(value), ROW_BYTES);
    this.trim();
  }

  trim(): void {
    while (this.rows > this.#maxRows || (this.#bytes > this.#maxBytes && this.rows > 1)) {
      this.remove(this.#oldest.get() ?? 0);
    }
  }

  /** False when there was no such row. */
  remove(id: number): boolean {
    const bytes = this.#remove.get(id);
    if (bytes === undefined) return false;
    this.#bytes -= bytes;
    this.rows -= 1;
    return true;
  }
}
