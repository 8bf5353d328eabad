import type { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { Batch, LogReader, ReadLimit } from '../../core/ports.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { isIntact, readRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { openForReading } from '../sqlite.ts';

type Page = Database.Statement<[number, number], [number, Buffer]>;

/** A cursor's eyes: pages by seq over its own read-only connection. No statement stays open behind a call. */
export class SqliteLogReader implements LogReader {
  readonly #db: Database.Database;
  readonly #pages: ReadonlyMap<Stream, Page>;

  constructor(file: string) {
    this.#db = openForReading(file);
    this.#pages = new Map(
      STREAMS.map((stream) => [
        stream,
        this.#db
          .prepare<[number, number], [number, Buffer]>(
            `SELECT seq, body FROM ${stream} WHERE seq > ? ORDER BY seq LIMIT ?`,
          )
          .raw(),
      ]),
    );
  }

  read(stream: Stream, after: Seq, { maxRecords, maxBytes }: ReadLimit): Batch {
    const records: StoredRecord[] = [];
    const damaged: Seq[] = [];
    let upTo = after;
    let bytes = 0;
    for (const [seq, body] of this.#page(stream).iterate(after, maxRecords)) {
      bytes += body.byteLength;
      if (bytes > maxBytes && upTo > after) break;
      upTo = seq;
      if (isIntact(body, seq)) records.push(readRecord(stream, seq, body));
      else damaged.push(seq);
    }
    return { records, upTo, damaged };
  }

  close(): void {
    this.#db.close();
  }

  #page(stream: Stream): Page {
    const page = this.#pages.get(stream);
    if (page === undefined) throw new Error(`no stream ${stream}`);
    return page;
  }
}
