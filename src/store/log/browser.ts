import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { KeptPage, KeptQuery, KeptRefused, KeptReject, RecordPage, RecordQuery } from '../../core/browser.ts';
import { SluiceError } from '../../core/errors.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { isIntact, isOfDevice, readRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { openForReading } from '../sqlite.ts';
import { Corrections } from './corrections.ts';
import { BODY } from './stored-body.ts';

/** A page ends after so much, however few records of it were asked for. */
export interface LookLimits {
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** On a slow card fewer records are looked at. */
  readonly maxMs: number;
  /** Of what is returned; at least one record is. */
  readonly maxPageBytes: number;
}

const LIMITS: LookLimits = {
  maxRecords: 20_000,
  maxBytes: 16 * 1024 * 1024,
  maxMs: 100,
  maxPageBytes: 1024 * 1024,
};
/** Between two looks at the clock. */
const CLOCK_EVERY = 64;

type Row = [seq: number, stream: Stream, body: Buffer];
type RejectRow = Omit<KeptReject, 'record'> & { readonly body: Buffer };

/** Looks into `log.db` over its own read-only connection. Synchronous; no statement stays open behind a call. */
export class SqliteLogBrowser {
  readonly #db: Database.Database;
  readonly #corrections: Corrections;
  readonly #limits: LookLimits;

  constructor(file: string, limits: LookLimits = LIMITS) {
    this.#db = openForReading(file);
    this.#corrections = new Corrections(this.#db);
    this.#limits = limits;
  }

  records(query: RecordQuery): RecordPage {
    const device = query.device === null ? null : Buffer.from(query.device, 'latin1');
    const records: StoredRecord[] = [];
    const damaged: Seq[] = [];
    const budget = new Budget(this.#limits);
    let last: Seq | null = null;
    for (const [seq, stream, body] of this.#scan(query)) {
      if (records.length >= query.limit || budget.isSpent()) return { records, damaged, next: last };
      budget.looked(body.byteLength);
      last = seq;
      if (device !== null && !isOfDevice(body, device)) continue;
      if (isIntact(body, seq)) records.push(this.#read(stream, seq, body));
      else damaged.push(seq);
      budget.returned(body.byteLength);
    }
    return { records, damaged, next: null };
  }

  record(seq: Seq): StoredRecord | undefined {
    for (const stream of STREAMS) {
      const body = this.#db.prepare<[number], Buffer>(`SELECT ${BODY} FROM ${stream} WHERE seq = ?`).pluck().get(seq);
      if (body === undefined) continue;
      if (isIntact(body, seq)) return this.#read(stream, seq, body);
      throw new SluiceError(`the checksum of record ${seq} does not hold`, { code: 'record_damaged' });
    }
    return undefined;
  }

  refused({ before, limit }: KeptQuery): KeptPage<KeptRefused> {
    const rows = this.#db
      .prepare<[number, number], KeptRefused>('SELECT * FROM refused WHERE id < ? ORDER BY id DESC LIMIT ?')
      .iterate(before, limit + 1);
    return pageOf(rows, { limit, maxBytes: this.#limits.maxPageBytes, bytesOf: ({ payload }) => payload.byteLength });
  }

  rejects({ before, limit }: KeptQuery): KeptPage<KeptReject> {
    const rows = this.#db
      .prepare<[number, number], RejectRow>('SELECT * FROM rejects WHERE id < ? ORDER BY id DESC LIMIT ?')
      .iterate(before, limit + 1);
    const { items, next } = pageOf(rows, {
      limit,
      maxBytes: this.#limits.maxPageBytes,
      bytesOf: ({ body }) => body.byteLength,
    });
    return { items: items.map((row) => this.#rejectOf(row)), next };
  }

  close(): void {
    this.#db.close();
  }

  #read(stream: Stream, seq: Seq, body: Buffer): StoredRecord {
    return this.#corrections.apply(readRecord(stream, seq, body));
  }

  #rejectOf({ body, ...row }: RejectRow): KeptReject {
    return { ...row, record: isIntact(body, row.seq) ? this.#read(row.stream, row.seq, body) : null };
  }

  /** In the order of the seqs, over one stream or all; SQLite merges them without sorting. */
  #scan({ stream, after, before, order }: RecordQuery): IterableIterator<Row> {
    const streams = stream === null ? STREAMS : [stream];
    const parts = streams.map(
      (name) => `SELECT seq, '${name}', ${BODY} FROM ${name} WHERE seq > @after AND seq < @before`,
    );
    const direction = order === 'newest' ? 'DESC' : 'ASC';
    const sql = `${parts.join(' UNION ALL ')} ORDER BY seq ${direction}`;
    return this.#db.prepare<[{ after: Seq; before: Seq }], Row>(sql).raw().iterate({ after, before });
  }
}

/** What one request may cost. */
class Budget {
  readonly #limits: LookLimits;
  readonly #until: number;
  #records = 0;
  #bytes = 0;
  #pageBytes = 0;

  constructor(limits: LookLimits) {
    this.#limits = limits;
    this.#until = performance.now() + limits.maxMs;
  }

  looked(bytes: number): void {
    this.#records += 1;
    this.#bytes += bytes;
  }

  returned(bytes: number): void {
    this.#pageBytes += bytes;
  }

  isSpent(): boolean {
    const { maxRecords, maxBytes, maxPageBytes } = this.#limits;
    if (this.#records >= maxRecords || this.#bytes >= maxBytes || this.#pageBytes >= maxPageBytes) return true;
    return this.#records % CLOCK_EVERY === CLOCK_EVERY - 1 && performance.now() > this.#until;
  }
}

interface PageRule<T> {
  readonly limit: number;
  readonly maxBytes: number;
  readonly bytesOf: (row: T) => number;
}

function pageOf<T extends { readonly id: number }>(rows: Iterable<T>, rule: PageRule<T>): KeptPage<T> {
  const items: T[] = [];
  let bytes = 0;
  for (const row of rows) {
    if (items.length >= rule.limit || bytes >= rule.maxBytes) return { items, next: items.at(-1)?.id ?? null };
    items.push(row);
    bytes += rule.bytesOf(row);
  }
  return { items, next: null };
}
