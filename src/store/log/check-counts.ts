import type Database from 'better-sqlite3';
import type { Seq } from '../../core/record.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { LOG_NOTES, notedIn } from '../notes.ts';
import type { Lanes } from './lanes.ts';
import type { Records } from './records.ts';

interface Counted {
  readonly records: Records;
  readonly lanes: Lanes;
}

/** Where a log is not as it was counted, in words, or null: little work, so that each start can do it. */
export function problemOfCounts(db: Database.Database, { records, lanes }: Counted): string | null {
  const isUnfinished = notedIn(db, LOG_NOTES.salvage) !== undefined;
  const salvagedEnds = JSON.parse(notedIn(db, LOG_NOTES.salvagedEnds) ?? '{}') as Partial<Record<Stream, Seq>>;
  for (const stream of STREAMS) {
    const newest = newestOf(db, stream);
    const { acceptedCount, removedCount, lastSeq } = records.count(stream);
    const mayEndEarlier = isUnfinished || salvagedEnds[stream] === lastSeq;
    const isAtEnd = newest === lastSeq || (mayEndEarlier && newest !== null && newest < lastSeq);
    if (newest === null ? acceptedCount === removedCount : isAtEnd) continue;
    return `${stream} ends at ${newest}, counted was up to ${lastSeq}`;
  }
  const over = lanes.stats().find(({ pendingCount }) => pendingCount < 0);
  return over === undefined ? null : `more of ${over.stream} went to ${over.uplink} than was accepted`;
}

function newestOf(db: Database.Database, stream: Stream): number | null {
  return db.prepare<[], number | null>(`SELECT max(seq) FROM ${stream}`).pluck().get() ?? null;
}
