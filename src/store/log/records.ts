import type { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { ReadLimit } from '../../core/lane-log.ts';
import type { Seq } from '../../core/record.ts';
import { isIntact, sealRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { type SeqReservation, SKIPPED_SEQS } from '../seqs.ts';
import { Corrections } from './corrections.ts';
import { Directed } from './directed.ts';
import { BODY, checkOrder } from './stored-body.ts';

/** An age is not worth reading more of a damaged log. */
const MAX_DAMAGED_LOOKED_AT = 100;
/** Records whose size is looked at, to estimate that of all. */
const SAMPLES = 64;

export interface StoredBody {
  readonly seq: Seq;
  readonly body: Buffer;
}

export interface StreamCount {
  acceptedCount: number;
  removedCount: number;
  lastSeq: Seq;
}

interface StreamTable {
  readonly insert: Database.Statement<[number, Buffer]>;
  readonly removeUpTo: Database.Statement<[number]>;
  readonly oldest: Database.Statement<[number, number], [number, Buffer]>;
  readonly body: Database.Statement<[number], Buffer>;
  readonly saveCount: Database.Statement<[number, number, number]>;
  readonly sizeBehind: Database.Statement<[number], number>;
  readonly sizeBetween: Database.Statement<[number, number], number>;
  count: StreamCount;
  /** Where the newest and the oldest end are, in bytes from where the newest was when the log was opened. */
  headBytes: number;
  tailBytes: number;
  dirty: boolean;
}

/**
 * The tables of records, one per stream, and their counts. Every method that writes belongs into a transaction that
 * ends with `flush`; after a rollback, `reload`.
 */
export class Records {
  /** Which records are for one uplink alone. */
  readonly directed: Directed;
  readonly corrections: Corrections;
  readonly #db: Database.Database;
  readonly #seqs: SeqReservation;
  readonly #tables: Readonly<Record<Stream, StreamTable>>;
  #nextSeq: Seq;
  #reservedSeq: Seq = 0;
  #appendedBytes = 0;

  constructor(db: Database.Database, seqs: SeqReservation) {
    this.#db = db;
    this.#seqs = seqs;
    this.directed = new Directed(db);
    this.corrections = new Corrections(db);
    this.#tables = Object.fromEntries(STREAMS.map((stream) => [stream, prepareTable(db, stream)])) as Record<
      Stream,
      StreamTable
    >;
    // Every start begins a block of its own: a log that lost its end (relaxed durability, damage, an old copy put
    // back) can then never give out a seq a second time.
    this.#reservedSeq = seqs.reservedSeq();
    this.#nextSeq = this.#reservedSeq + 1;
    this.reload();
  }

  /**
   * For a log that lost records of which nobody knows how many, and what reserved their seqs may have lost its end with them:
   * no record that is lost has a seq above the one that is returned, and none that is to come one up to it. On disk when it
   * returns.
   */
  skipSeqs(): Seq {
    const upTo = this.#seqs.reserveSeq(this.#nextSeq - 1 + SKIPPED_SEQS);
    this.#reservedSeq = upTo;
    this.#nextSeq = upTo + 1;
    return upTo;
  }

  /** Reads the counts again, as they are on disk. */
  reload(): void {
    this.directed.reload();
    const rows = this.#db
      .prepare<[], { stream: Stream; accepted: number; removed: number; last_seq: number }>('SELECT * FROM streams')
      .all();
    let last = 0;
    for (const row of rows) {
      this.#tables[row.stream].count = {
        acceptedCount: row.accepted,
        removedCount: row.removed,
        lastSeq: row.last_seq,
      };
      this.#tables[row.stream].dirty = false;
      last = Math.max(last, row.last_seq);
      this.#measure(row.stream);
    }
    this.#nextSeq = Math.max(last + 1, this.#nextSeq);
  }

  /** Seals the body under the next seq and stores it. */
  append(stream: Stream, body: Buffer): Seq {
    const seq = this.#nextSeq;
    if (seq > this.#reservedSeq) this.#reservedSeq = this.#seqs.reserveSeq(seq);
    const table = this.#tables[stream];
    sealRecord(body, seq);
    table.insert.run(seq, body);
    table.count.acceptedCount += 1;
    table.count.lastSeq = seq;
    table.headBytes += body.byteLength;
    table.dirty = true;
    this.#nextSeq = seq + 1;
    this.#appendedBytes += body.byteLength;
    return seq;
  }

  /**
   * A record that was in the log before, under its own seq; `isCounted`: it is among the accepted, and among the removed.
   * False when it is there already.
   */
  putBack({ stream, seq, body }: StoredBody & { readonly stream: Stream }, isCounted: boolean): boolean {
    const table = this.#tables[stream];
    if (this.#db.prepare(`INSERT OR IGNORE INTO ${stream} VALUES (?, ?)`).run(seq, body).changes === 0) return false;
    if (isCounted && table.count.removedCount > 0) table.count.removedCount -= 1;
    else table.count.acceptedCount += 1;
    table.count.lastSeq = Math.max(table.count.lastSeq, seq);
    this.#nextSeq = Math.max(this.#nextSeq, seq + 1);
    table.dirty = true;
    return true;
  }

  /** Stored records of the stream with after < seq <= upTo that are for this uplink. Reads them all. */
  countFor(uplink: string, stream: Stream, { after, upTo }: { after: Seq; upTo: Seq }): number {
    const sql = `SELECT count(*) FROM ${stream} WHERE seq > @after AND seq <= @upTo AND seq NOT IN
                   (SELECT seq FROM directed WHERE stream = @stream AND uplink <> @uplink)`;
    return this.#db.prepare<[object], number>(sql).pluck().get({ uplink, stream, after, upTo }) ?? 0;
  }

  /** Bytes of bodies appended since the start; a measure of how much came, not of what is on disk. */
  get appendedBytes(): number {
    return this.#appendedBytes;
  }

  /** Of all streams. No record has a greater one. */
  get lastSeq(): Seq {
    return this.#nextSeq - 1;
  }

  count(stream: Stream): Readonly<StreamCount> {
    return this.#tables[stream].count;
  }

  /**
   * The oldest records with after < seq <= upTo, until one of the limits is reached; bodies are copies.
   * @throws SluiceError `store_damaged`
   */
  oldest(stream: Stream, range: { after: Seq; upTo: Seq }, limit: ReadLimit): StoredBody[] {
    const found: StoredBody[] = [];
    let bytes = 0;
    for (const [seq, body] of this.#tables[stream].oldest.iterate(range.after, range.upTo)) {
      checkOrder(stream, seq, found.at(-1)?.seq ?? range.after);
      if (found.length >= limit.maxRecords || bytes >= limit.maxBytes) break;
      found.push({ seq, body });
      bytes += body.byteLength;
    }
    return found;
  }

  /** Of the oldest record that is not damaged; null when there is none among the first. */
  oldestReceivedAt(stream: Stream, after: Seq, upTo: Seq = Number.MAX_SAFE_INTEGER): number | null {
    let looked = 0;
    for (const [seq, body] of this.#tables[stream].oldest.iterate(after, upTo)) {
      if (isIntact(body, seq)) return this.corrections.receivedAt(body);
      looked += 1;
      if (looked === MAX_DAMAGED_LOOKED_AT) break;
    }
    return null;
  }

  body(stream: Stream, seq: Seq): Buffer | undefined {
    return this.#tables[stream].body.get(seq);
  }

  /** Takes the oldest end away, up to and including `upTo`; returns how many records that were. */
  removeUpTo(stream: Stream, upTo: Seq): number {
    const table = this.#tables[stream];
    table.tailBytes += this.bytesBetween(stream, 0, upTo);
    const removed = table.removeUpTo.run(upTo).changes;
    table.count.removedCount += removed;
    table.dirty = true;
    return removed;
  }

  /** Where the newest end is, in bytes; see `estimateBytes`. */
  headBytes(stream: Stream): number {
    return this.#tables[stream].headBytes;
  }

  /** Of the bodies of the stored records: counted, but for those from before the start, which are estimated. */
  storedBytes(stream: Stream): number {
    const { headBytes, tailBytes } = this.#tables[stream];
    return Math.max(0, headBytes - tailBytes);
  }

  /** Of the bodies of the records with after < seq <= upTo. */
  bytesBetween(stream: Stream, after: Seq, upTo: Seq): number {
    return this.#tables[stream].sizeBetween.get(after, upTo) ?? 0;
  }

  /** Of the bodies of `count` records behind `after`, by the sizes of some. */
  estimateBytes(stream: Stream, after: Seq, count: number): number {
    if (count <= 0) return 0;
    const { sizeBehind, count: known } = this.#tables[stream];
    const step = (known.lastSeq - after) / SAMPLES;
    const sizes = Array.from({ length: SAMPLES }, (_, index) => sizeBehind.get(Math.floor(after + index * step)) ?? 0);
    return (count * sizes.reduce((sum, size) => sum + size, 0)) / SAMPLES;
  }

  flush(): void {
    for (const stream of STREAMS) {
      const table = this.#tables[stream];
      if (!table.dirty) continue;
      const { acceptedCount, removedCount, lastSeq } = table.count;
      table.saveCount.run(acceptedCount, removedCount, lastSeq);
      table.dirty = false;
    }
  }

  #measure(stream: Stream): void {
    const table = this.#tables[stream];
    const { acceptedCount, removedCount } = table.count;
    table.tailBytes = table.headBytes - this.estimateBytes(stream, 0, acceptedCount - removedCount);
  }
}

function prepareTable(db: Database.Database, stream: Stream): StreamTable {
  return {
    insert: db.prepare(`INSERT INTO ${stream} VALUES (?, ?)`),
    removeUpTo: db.prepare(`DELETE FROM ${stream} WHERE seq <= ?`),
    oldest: db
      .prepare<[number, number], [number, Buffer]>(
        `SELECT seq, ${BODY} FROM ${stream} WHERE seq > ? AND seq <= ? ORDER BY seq`,
      )
      .raw(),
    body: db.prepare<[number], Buffer>(`SELECT ${BODY} FROM ${stream} WHERE seq = ?`).pluck(),
    saveCount: db.prepare(`UPDATE streams SET accepted = ?, removed = ?, last_seq = ? WHERE stream = '${stream}'`),
    sizeBehind: db
      .prepare<[number], number>(`SELECT octet_length(body) FROM ${stream} WHERE seq > ? ORDER BY seq LIMIT 1`)
      .pluck(),
    sizeBetween: db
      .prepare<[number, number], number>(
        `SELECT coalesce(sum(octet_length(body)), 0) FROM ${stream} WHERE seq > ? AND seq <= ?`,
      )
      .pluck(),
    count: { acceptedCount: 0, removedCount: 0, lastSeq: 0 },
    headBytes: 0,
    tailBytes: 0,
    dirty: false,
  };
}
