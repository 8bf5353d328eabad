import type { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import { SluiceError } from '../../core/errors.ts';
import type { Batch, LogReader, ReadLimit } from '../../core/lane-log.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { isIntact, readRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { readErrorOf } from '../disk-reads.ts';
import { diskFaultOf, isDamage, meetsDamage } from '../file-errors.ts';
import { openForLooking, openForReading } from '../sqlite.ts';
import { Corrections } from './corrections.ts';
import { BODY, checkOrder } from './stored-body.ts';

type Page = Database.Statement<[number, number], [number, Buffer]>;

interface Wanted {
  readonly stream: Stream;
  readonly after: Seq;
  readonly limit: ReadLimit;
}

interface Connection {
  readonly db: Database.Database;
  readonly pages: Readonly<Record<Stream, Page>>;
  readonly corrections: Corrections;
}

/** `isStillDamaged` looks once more; what was in memory has none. */
export type OnDamage = (error: unknown, isStillDamaged?: () => boolean) => void;

/** A cursor's eyes: pages by seq over its own read-only connection. No statement stays open behind a call. */
export class SqliteLogReader implements LogReader {
  readonly #file: string;
  readonly #onDamage: OnDamage;
  readonly #open: (file: string) => Database.Database;
  #on: Connection | undefined;

  /** `onDamage`: the file is not as it was written; whoever goes on would read only a part, for ever. */
  constructor(file: string, onDamage: OnDamage = () => undefined, open = openForReading) {
    this.#file = file;
    this.#onDamage = onDamage;
    this.#open = open;
    this.#on = connect(open(file));
  }

  /** Of a store that may be stopped: leaves no trace there. */
  static looking(file: string): SqliteLogReader {
    return new SqliteLogReader(file, undefined, openForLooking);
  }

  /**
   * After a read that failed, the next one opens the file again. A second look that finds damage, too, ends the reading;
   * a third one, when the disk has given all of the file, says whether that is believed.
   * @throws SluiceError `log_unreadable`
   */
  read(stream: Stream, after: Seq, limit: ReadLimit): Batch {
    const what = { stream, after, limit };
    try {
      return this.#look(what);
    } catch (first) {
      if (!isDamage(first)) throw this.#explain(first);
    }
    try {
      return this.#lookAgain(what);
    } catch (error) {
      const cause = isDamage(error) ? (readErrorOf(this.#file) ?? error) : error;
      if (isDamage(cause)) this.#onDamage(cause, () => meetsDamage(() => this.#lookAgain(what)));
      throw this.#explain(cause);
    }
  }

  #look(what: Wanted): Batch {
    this.#on ??= connect(this.#open(this.#file));
    return this.#read(this.#on, what);
  }

  #lookAgain(what: Wanted): Batch {
    this.close();
    return this.#look(what);
  }

  #explain(error: unknown): unknown {
    const fault = diskFaultOf(error);
    if (fault === undefined) return error;
    this.close();
    const options = { code: 'log_unreadable', retryable: true, cause: error };
    return new SluiceError(`the log cannot be read: ${fault.reason}`, options);
  }

  close(): void {
    this.#on?.db.close();
    this.#on = undefined;
  }

  #read(on: Connection, { stream, after, limit }: Wanted): Batch {
    const { pages, corrections } = on;
    const { maxRecords, maxBytes } = limit;
    const records: StoredRecord[] = [];
    const damaged: Seq[] = [];
    let upTo = after;
    let bytes = 0;
    let hasMore = false;
    // One row more than is wanted: the last seq becomes a position only when the one behind it is in order.
    for (const [seq, body] of pages[stream].iterate(after, maxRecords + 1)) {
      checkOrder(stream, seq, upTo);
      bytes += body.byteLength;
      hasMore = upTo > after && (bytes > maxBytes || records.length + damaged.length === maxRecords);
      if (hasMore) break;
      upTo = seq;
      if (isIntact(body, seq)) records.push(corrections.apply(readRecord(stream, seq, body)));
      else damaged.push(seq);
    }
    return { records, upTo, damaged, hasMore };
  }
}

function connect(db: Database.Database): Connection {
  const pageOf = (stream: Stream): Page =>
    db
      .prepare<[number, number], [number, Buffer]>(
        `SELECT seq, ${BODY} FROM ${stream} WHERE seq > ? ORDER BY seq LIMIT ?`,
      )
      .raw();
  try {
    const pages = Object.fromEntries(STREAMS.map((stream) => [stream, pageOf(stream)])) as Connection['pages'];
    return { db, pages, corrections: new Corrections(db) };
  } catch (error) {
    db.close();
    throw error;
  }
}
