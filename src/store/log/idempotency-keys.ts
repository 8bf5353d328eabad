import type Database from 'better-sqlite3';
import type { DeviceKey, Seq } from '../../core/record.ts';
import type { StoreClock } from '../store-clock.ts';
import { BoundedTable } from './bounded-table.ts';

export interface IdempotencyLimits {
  /** So long a key is known; the clock must be synchronised then and now, otherwise it is known for longer. */
  readonly windowMs: number;
  readonly maxKeys: number;
  readonly maxBytes: number;
}

interface Row {
  readonly id: number;
  readonly fingerprint: Buffer;
  /** null: the clock was not synchronised. */
  readonly at: number | null;
  readonly firstSeq: Seq;
}

/** What is known of a key: where its records begin, or that it came with another request. */
export type KnownKey = { readonly firstSeq: Seq } | { readonly reused: true };

/** Expired keys that go with each new one, so that they are fewer and fewer. */
const EXPIRED_PER_INSERT = 16;

/** Requests that were stored, so that a repeated one is recognised. Belongs into the store's transaction. */
export class IdempotencyKeys {
  readonly #table: BoundedTable;
  readonly #windowMs: number;
  readonly #clock: StoreClock;
  readonly #find: Database.Statement<[string, string], Row>;
  readonly #oldest: Database.Statement<[number], Pick<Row, 'id' | 'at'>>;
  readonly #insert: Database.Statement;

  constructor(db: Database.Database, { windowMs, maxKeys, maxBytes }: IdempotencyLimits, clock: StoreClock) {
    this.#windowMs = windowMs;
    this.#clock = clock;
    this.#table = new BoundedTable(db, {
      table: 'idempotency_keys',
      // The index holds a second copy of the names.
      columns: ['device', 'key', 'device', 'key', 'fingerprint'],
      maxRows: maxKeys,
      maxBytes,
    });
    this.#find = db.prepare(
      'SELECT id, fingerprint, at, first_seq AS firstSeq FROM idempotency_keys WHERE device = ? AND key = ?',
    );
    this.#oldest = db.prepare('SELECT id, at FROM idempotency_keys ORDER BY id LIMIT ?');
    this.#insert = db.prepare(
      'INSERT INTO idempotency_keys (device, key, fingerprint, at, first_seq) VALUES (?, ?, ?, ?, ?)',
    );
  }

  /** undefined for a key that is new, or that is new again because its window is over. */
  find({ device, key, fingerprint }: DeviceKey): KnownKey | undefined {
    const row = this.#find.get(device, key);
    if (row === undefined) return undefined;
    if (this.#isExpired(row)) {
      this.#table.remove(row.id);
      return undefined;
    }
    return row.fingerprint.equals(fingerprint) ? { firstSeq: row.firstSeq } : { reused: true };
  }

  /** Only for a key that `find` does not know. */
  remember({ device, key, fingerprint }: DeviceKey, firstSeq: Seq): void {
    for (const row of this.#oldest.all(EXPIRED_PER_INSERT)) if (this.#isExpired(row)) this.#table.remove(row.id);
    this.#table.makeRoomFor([device, key, device, key, fingerprint]);
    const at = this.#isClockTrusted() ? this.#clock.now() : null;
    this.#insert.run(device, key, fingerprint, at, firstSeq);
  }

  trim(): void {
    this.#table.trim();
  }

  reload(): void {
    this.#table.reload();
  }

  /** A time that was never synchronised says nothing: such keys go only when there are too many. */
  #isExpired({ at }: Pick<Row, 'at'>): boolean {
    return at !== null && this.#isClockTrusted() && this.#clock.now() - at > this.#windowMs;
  }

  #isClockTrusted(): boolean {
    return this.#clock.quality() !== 'unsynced';
  }
}
