import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Seq } from '../../../src/core/record.ts';
import { readRecord } from '../../../src/core/record-codec.ts';
import { STREAMS, type Stream } from '../../../src/core/stream.ts';

/** What a whole store holds that its uplink has not delivered, by stream: the id that its sender gave each record. */
export type Pending = ReadonlyMap<Stream, ReadonlyMap<Seq, string>>;

const ID = /"id":"([^"]+)"/;

/** Of a store whose gateway does not run. */
export function readPending(dataDir: string): Pending {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true });
  try {
    return new Map(STREAMS.map((stream) => [stream, pendingOf(db, stream)]));
  } finally {
    db.close();
  }
}

function pendingOf(db: Database.Database, stream: Stream): ReadonlyMap<Seq, string> {
  const rows = db.prepare<[object], { seq: Seq; body: Buffer }>(
    `SELECT seq, body FROM ${stream} WHERE seq > (SELECT cursor FROM lanes WHERE stream = @stream) OR EXISTS
       (SELECT 1 FROM ranges WHERE stream = @stream AND kind = 'backfill' AND seq > cursor AND seq <= up_to)`,
  );
  const ids = rows.all({ stream }).map(({ seq, body }) => {
    const { value } = readRecord(stream, seq, body);
    return [seq, ID.exec(Buffer.from(value).toString())?.[1] ?? ''] as const;
  });
  return new Map(ids);
}

/** Of all streams, of a store whose gateway does not run. */
export function lastSeqOf(dataDir: string): Seq {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true });
  try {
    return db.prepare<[], Seq>('SELECT max(last_seq) FROM streams').pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

/** Up to which seq the uplink has done with the stream; all of it when nothing is pending. Read beside a running gateway. */
export function doneUpTo(dataDir: string, stream: Stream): Seq {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true });
  try {
    const lane = db
      .prepare<[string], { done: Seq; pending: number }>(
        `SELECT done, accepted - base - delivered - rejected - dropped AS pending
         FROM lanes JOIN streams USING (stream) WHERE stream = ?`,
      )
      .get(stream);
    if (lane === undefined) return 0;
    return lane.pending === 0 ? Number.POSITIVE_INFINITY : lane.done;
  } finally {
    db.close();
  }
}

/** Seqs that the uplink could not read. Read beside a running gateway. */
export function readRejected(dataDir: string): readonly { readonly stream: Stream; readonly seq: Seq }[] {
  const db = new Database(join(dataDir, 'log.db'), { readonly: true });
  try {
    return db.prepare<[], { stream: Stream; seq: Seq }>('SELECT stream, seq FROM rejects').all();
  } finally {
    db.close();
  }
}

/** The files of the store and nothing else, in the place of what is there. */
export function copyStore(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to);
  for (const name of readdirSync(from)) {
    if (/^(log|state)\.db(-wal)?$/.test(name)) copyFileSync(join(from, name), join(to, name));
  }
}
