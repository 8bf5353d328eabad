import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Stream } from '../../../src/core/stream.ts';
import { UPLINK } from '../power/power-store.ts';
import type { Known } from './judge-losses.ts';

/**
 * What the log of a damaged store counts, as SQLite reads it from a copy that nobody has repaired; undefined when it cannot
 * read all of it.
 */
export function readKnown(dataDir: string): ReadonlyMap<Stream, Known> | undefined {
  let db: Database.Database | undefined;
  try {
    db = new Database(join(dataDir, 'log.db'), { readonly: true, fileMustExist: true });
    const ends = db.prepare<[], { stream: Stream; last_seq: number }>('SELECT * FROM streams').all();
    const cursors = db.prepare<[], { uplink: string; stream: Stream; cursor: number }>('SELECT * FROM lanes').all();
    const cursorOf = (stream: Stream): number =>
      cursors.find((lane) => lane.uplink === UPLINK && lane.stream === stream)?.cursor ?? 0;
    return new Map(ends.map(({ stream, last_seq: lastSeq }) => [stream, { lastSeq, cursor: cursorOf(stream) }]));
  } catch (error) {
    if (error instanceof Database.SqliteError) return undefined;
    throw error;
  } finally {
    db?.close();
  }
}
