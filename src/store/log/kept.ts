import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import type { Rejection } from '../../core/lane-log.ts';
import type { RefusedMessage } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { BoundedTable } from './bounded-table.ts';
import type { StoredReject } from './retried.ts';

/** What each of the two tables may hold; the oldest make room. */
const MAX_ROWS = 10_000;
/** Of a refused message so many bytes are kept: enough to see what is wrong with it. */
const MAX_PAYLOAD_BYTES = 4_096;
const MAX_DETAIL_CHARACTERS = 500;
/** A topic may have 65,535 bytes; what is longer than this is a mistake or malice. */
const MAX_CHANNEL_CHARACTERS = 256;

/** What is kept aside for people: rejected records and refused messages. Belongs into the store's transaction. */
export class Kept {
  readonly #rejects: BoundedTable;
  readonly #refused: BoundedTable;
  readonly #insertReject: Database.Statement;
  readonly #insertRefused: Database.Statement;
  readonly #findReject: Database.Statement<[number], StoredReject>;

  /** `maxBytes`: of each of the two tables. */
  constructor(db: Database.Database, maxBytes: number) {
    this.#rejects = new BoundedTable(db, {
      table: 'rejects',
      columns: ['detail', 'body'],
      maxRows: MAX_ROWS,
      maxBytes,
    });
    this.#refused = new BoundedTable(db, {
      table: 'refused',
      columns: ['channel', 'payload'],
      maxRows: MAX_ROWS,
      maxBytes,
    });
    this.#insertReject = db.prepare(
      'INSERT INTO rejects (uplink, stream, seq, at, reason, detail, body) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    this.#findReject = db.prepare('SELECT uplink, stream, seq, body FROM rejects WHERE id = ?');
    this.#insertRefused = db.prepare(
      'INSERT INTO refused (source, at, reason, channel, size, payload) VALUES (?, ?, ?, ?, ?, ?)',
    );
  }

  reject(lane: { uplink: string; stream: Stream }, rejection: Rejection, kept: { at: number; body: Buffer }): void {
    const detail = rejection.detail.slice(0, MAX_DETAIL_CHARACTERS);
    this.#rejects.makeRoomFor([detail, kept.body]);
    this.#insertReject.run(lane.uplink, lane.stream, rejection.seq, kept.at, rejection.reason, detail, kept.body);
  }

  refuse(message: RefusedMessage): void {
    const payload = Buffer.from(message.payload.subarray(0, MAX_PAYLOAD_BYTES));
    const channel = message.channel.slice(0, MAX_CHANNEL_CHARACTERS);
    this.#refused.makeRoomFor([channel, payload]);
    const { source, receivedAt, reason } = message;
    this.#insertRefused.run(source, receivedAt, reason, channel, message.payload.byteLength, payload);
  }

  findReject(id: number): StoredReject | undefined {
    return this.#findReject.get(id);
  }

  removeReject(id: number): boolean {
    return this.#rejects.remove(id);
  }

  removeRefused(id: number): boolean {
    return this.#refused.remove(id);
  }

  /** Takes away what is too much, as after the limit was lowered. */
  trim(): void {
    this.#rejects.trim();
    this.#refused.trim();
  }

  reload(): void {
    this.#rejects.reload();
    this.#refused.reload();
  }

  counts(): { rejects: number; refused: number } {
    return { rejects: this.#rejects.rows, refused: this.#refused.rows };
  }
}
