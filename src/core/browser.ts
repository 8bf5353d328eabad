/** Looking into the log, by people and programs on the LAN. Nothing here changes anything. */

import type { Seq, Source, StoredRecord } from './record.ts';
import type { Stream } from './stream.ts';

export interface RecordQuery {
  /** null: all. */
  readonly stream: Stream | null;
  readonly device: string | null;
  /** Seqs between these two, both exclusive. */
  readonly after: Seq;
  readonly before: Seq;
  readonly order: 'newest' | 'oldest';
  readonly limit: number;
}

export interface RecordPage {
  /** In the order that was asked for. May be fewer than the limit, or none, with more to come. */
  readonly records: readonly StoredRecord[];
  /** Seqs whose checksum did not hold; they are not in `records`. */
  readonly damaged: readonly Seq[];
  /** Where to go on: behind this seq. null at the end. */
  readonly next: Seq | null;
}

/** Newest first, those with an id below `before`. */
export interface KeptQuery {
  readonly before: number;
  readonly limit: number;
}

export interface KeptPage<T> {
  readonly items: readonly T[];
  /** The next page is before this id; null at the end. */
  readonly next: number | null;
}

/** A message that never became a record. */
export interface KeptRefused {
  readonly id: number;
  readonly source: Source;
  /** UTC milliseconds. */
  readonly at: number;
  readonly reason: string;
  readonly channel: string;
  /** Of the whole payload in bytes; less than that may be kept. */
  readonly size: number;
  readonly payload: Uint8Array;
}

/** A record that an upstream can never take. */
export interface KeptReject {
  readonly id: number;
  readonly uplink: string;
  /** UTC milliseconds. */
  readonly at: number;
  readonly reason: string;
  readonly detail: string;
  readonly seq: Seq;
  readonly stream: Stream;
  /** null when its checksum does not hold. */
  readonly record: StoredRecord | null;
}

export interface LogBrowser {
  /** One short read: looks at a bounded number of records, whatever the query asks for. */
  records(query: RecordQuery): Promise<RecordPage>;
  /** @throws SluiceError `record_damaged` */
  record(seq: Seq): Promise<StoredRecord | undefined>;
  refused(query: KeptQuery): Promise<KeptPage<KeptRefused>>;
  rejects(query: KeptQuery): Promise<KeptPage<KeptReject>>;
}

/** What people may do with what is kept for them. Each resolves when it is on disk. */
export interface KeptStore {
  /**
   * Makes a new record of a reject, for the uplink that rejected it, and names the old one in it; the reject is gone
   * then. Resolves with the new seq, undefined when there is none of that id; stays pending while nothing can be stored.
   * @throws SluiceError `record_damaged`
   */
  retryReject(id: number): Promise<Seq | undefined>;
  /** False when there is none of that id. */
  removeRefused(id: number): Promise<boolean>;
  removeReject(id: number): Promise<boolean>;
}
