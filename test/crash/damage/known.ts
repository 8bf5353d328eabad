import { join } from 'node:path';
import Database from 'better-sqlite3';
import { STREAMS, type Stream } from '../../../src/core/stream.ts';
import { LeafScan } from '../../../src/store/damage/leaf-scan.ts';
import { Pages } from '../../../src/store/damage/pages.ts';
import { ifReadable } from '../../../src/store/if-readable.ts';
import { lanesProblemOf } from '../../../src/store/log/lane-rows.ts';
import { BODY } from '../../../src/store/log/stored-body.ts';
import type { Known } from './judge-losses.ts';
import { recordName } from './told.ts';

/**
 * What the log of a damaged store counts, as SQLite reads it from a copy that nobody has repaired; undefined when it cannot
 * read all of it.
 */
export function readKnown(dataDir: string, uplink: string): ReadonlyMap<Stream, Known> | undefined {
  let db: Database.Database | undefined;
  try {
    db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
    if (lanesProblemOf(db) !== null) return undefined;
    const ends = db.prepare<[], { stream: Stream; last_seq: number }>('SELECT * FROM streams').all();
    const lanes = db
      .prepare<[string], { stream: Stream; done: number; cursor: number }>('SELECT * FROM lanes WHERE uplink = ?')
      .all(uplink);
    const hasRanges = ifReadable(() => db?.prepare('SELECT * FROM ranges').all()) !== undefined;
    return new Map(
      ends.map(({ stream, last_seq: lastSeq }) => {
        const { done = 0, cursor = 0 } = lanes.find((lane) => lane.stream === stream) ?? {};
        return [stream, { lastSeq, done, ...(hasRanges ? {} : { unclearUpTo: cursor }) }];
      }),
    );
  } catch (error) {
    if (error instanceof Database.SqliteError) return undefined;
    throw error;
  } finally {
    db?.close();
  }
}

/** Ids of devices that the good copy of `state.db` has, with the secret that they were given; none when it cannot be read. */
export function readCopied(dataDir: string): ReadonlySet<string> {
  let db: Database.Database | undefined;
  try {
    db = new Database(join(dataDir, 'state.db.good'), { readonly: true, fileMustExist: true });
    if (db.pragma('quick_check(1)', { simple: true }) !== 'ok') return new Set();
    return new Set(db.prepare<[], string>("SELECT id FROM devices WHERE secret_hash = 'hash-of-' || id").pluck().all());
  } catch (error) {
    if (error instanceof Database.SqliteError) return new Set();
    throw error;
  } finally {
    db?.close();
  }
}

/** Of a copy too. */
export function isSalvageUnfinished(dataDir: string): boolean {
  const db = new Database(join(dataDir, 'log.db'));
  try {
    return db.prepare("SELECT 1 FROM meta WHERE name = 'salvage'").get() !== undefined;
  } catch (error) {
    if (error instanceof Database.SqliteError) return false;
    throw error;
  } finally {
    db.close();
  }
}

/** Where the tables of a store that is whole begin. */
export function rootsOf(dataDir: string): Partial<Record<Stream, number>> {
  const db = new Database(join(dataDir, 'state.db'), { readonly: true });
  try {
    return JSON.parse(db.prepare<[], string>("SELECT value FROM meta WHERE name = 'log_roots'").pluck().get() ?? '{}');
  } finally {
    db.close();
  }
}

/**
 * Names of all records that stand in a damaged log whole. A row of which SQLite reads other bytes than its own, because its
 * head is damaged, is not: to whoever asks SQLite, that record alone is damaged.
 */
export function readWhole(dataDir: string, roots: Partial<Record<Stream, number>>): ReadonlySet<string> {
  const file = join(dataDir, 'log.db');
  const pages = new Pages(file, () => true);
  const found = new LeafScan(pages, roots).step(pages.count);
  pages.close();
  const lengthOf = lengthsIn(file);
  const isRead = ({ stream, seq, body }: (typeof found)[number]): boolean =>
    (lengthOf(stream, seq) ?? body.byteLength) === body.byteLength;
  return new Set(found.filter(isRead).map(({ stream, seq }) => recordName(stream, seq)));
}

/** Of bodies, as SQLite reads them; undefined for rows that it does not find or cannot read. */
function lengthsIn(file: string): (stream: Stream, seq: number) => number | undefined {
  const lengths = new Map<string, number>();
  for (const stream of STREAMS) {
    ifReadable(() => {
      for (const [seq, length] of bodyLengths(file, stream)) lengths.set(recordName(stream, seq), length);
    });
  }
  return (stream, seq) => lengths.get(recordName(stream, seq));
}

function* bodyLengths(file: string, stream: Stream): Iterable<[number, number]> {
  const db = new Database(file, { readonly: true });
  try {
    yield* db.prepare<[], [number, number]>(`SELECT seq, length(${BODY}) FROM ${stream}`).raw().iterate();
  } finally {
    db.close();
  }
}
