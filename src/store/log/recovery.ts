import type Database from 'better-sqlite3';
import type { LaneId } from '../../core/lane-log.ts';
import type { Salvaged } from '../../core/log-stats.ts';
import { type Seq, soleUplink } from '../../core/record.ts';
import { readRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { LOG_NOTES, notedIn } from '../notes.ts';
import type { StoreClock } from '../store-clock.ts';
import { copyTables, IDS } from './copy-tables.ts';
import type { GapReports } from './gap-reports.ts';
import type { Lane } from './lane.ts';
import type { Lanes, SkipNotes } from './lanes.ts';
import type { Queues } from './queues.ts';
import type { Ranges } from './ranges.ts';
import type { Records, StoredBody } from './records.ts';

/** An intact record of a damaged log. */
export interface FoundRecord extends StoredBody {
  readonly stream: Stream;
}

interface RecoveryParts {
  readonly db: Database.Database;
  readonly records: Records;
  readonly lanes: Lanes;
  readonly ranges: Ranges;
  readonly queues: Queues;
  readonly gaps: GapReports;
  readonly skips: SkipNotes;
  readonly clock: StoreClock;
  /** Reads everything again, as it is in the file. */
  readonly reload: () => void;
}

/**
 * How a new log takes over what can be read of a damaged one, and what it says of the rest. Every method that writes
 * belongs into the store's transaction.
 */
export class Recovery {
  readonly #parts: RecoveryParts;
  /** Last seqs that the damaged log counted, while not all is put back. */
  #counted: Readonly<Partial<Record<Stream, Seq>>> | undefined;
  /** Lanes that are not known yet may have been. */
  #lostUpTo: Seq | undefined;
  #skippedTo: Seq | undefined;

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.reload();
  }

  reload(): void {
    const { db } = this.#parts;
    const [salvage, lostUpTo] = [notedIn(db, LOG_NOTES.salvage), notedIn(db, LOG_NOTES.lostUpTo)];
    this.#counted = salvage === undefined ? undefined : JSON.parse(salvage);
    this.#lostUpTo = lostUpTo === undefined ? undefined : Number(lostUpTo);
  }

  /** Not all that can be read of a damaged log is put back. */
  get isUnfinished(): boolean {
    return this.#counted !== undefined;
  }

  /** Everything but the records, from a damaged log; the records count as removed until they are put back. */
  takeOver(damagedFile: string): void {
    const { db, lanes, records, reload } = this.#parts;
    const copied = copyTables(damagedFile, db);
    const hasPositions = copied.has('streams') && copied.has('lanes');
    if (!hasPositions) {
      db.exec('DELETE FROM lanes; DELETE FROM ranges; DELETE FROM drops; DELETE FROM directed');
      db.exec('UPDATE streams SET accepted = 0, removed = 0, last_seq = 0');
    }
    const isLost = !hasPositions || lanes.removeDamaged();
    db.exec('UPDATE streams SET removed = accepted');
    reload();
    if (isLost) this.#losePositions();
    if (!copied.has(IDS)) this.#passIds(records.lastSeq);
    const counted = this.#lastSeqs();
    if (!copied.has('ranges'))
      for (const lane of STREAMS.flatMap((stream) => lanes.ofStream(stream))) this.#skipAgain(lane);
    this.#begin(counted);
    if (this.#lostUpTo !== undefined) this.#note(LOG_NOTES.uncounted, '1');
  }

  /** Everything but the records is taken over already, and perhaps some of them are put back. */
  resume(): void {
    this.#begin(this.#lastSeqs());
  }

  /**
   * A record of the damaged log, unless every uplink has done with it and nothing that the MQTT broker keeps points at it.
   * Returns whether it is in the log now.
   */
  putBack({ stream, seq, body }: FoundRecord): boolean {
    const { records, lanes } = this.#parts;
    if (!this.#isWanted({ stream, seq, body })) return false;
    const isCounted = seq <= (this.#counted?.[stream] ?? 0);
    if (!records.putBack({ stream, seq, body }, isCounted)) return true;
    const uplink = soleUplink(readRecord(stream, seq, body));
    if (uplink === null) return true;
    records.directed.restore(stream, seq, uplink);
    if (!isCounted) lanes.excludeFromOthers(stream, uplink);
    return true;
  }

  /** All is put back: what was pending and is not there is each lane's loss, and is said so. */
  finish(): Omit<Salvaged, 'putBackCount'> {
    let lostCount = 0;
    for (const stream of STREAMS) {
      for (const lane of this.#parts.lanes.ofStream(stream)) lostCount += this.#reportMissing(lane);
    }
    const moreMayBeLost = notedIn(this.#parts.db, LOG_NOTES.uncounted) !== undefined;
    this.#note(LOG_NOTES.uncounted, null);
    this.#note(LOG_NOTES.salvage, null);
    this.#note(LOG_NOTES.salvagedEnds, JSON.stringify(this.#lastSeqs()));
    this.#counted = undefined;
    return { lostCount, moreMayBeLost };
  }

  /** That records up to this one may be lost is told to every lane, or will be when it is opened; 0 when there is nothing to tell. */
  get toldUpTo(): Seq {
    return Number(notedIn(this.#parts.db, LOG_NOTES.toldUpTo) ?? 0);
  }

  /**
   * Commits of this log are lost. Tells every lane that what came behind its stream's end may be: nobody knows how much that
   * was. QoS 2 exchanges that ended in them would pass for open, and a new message for a repeated one.
   */
  reportLostCommits(): void {
    const { db, records, lanes } = this.#parts;
    const upTo = this.#skipLostSeqs();
    if (this.isUnfinished) this.#note(LOG_NOTES.uncounted, '1');
    if (this.#lostUpTo !== undefined || lanes.uplinks().length === 0) this.#losePositions();
    // What begins with U+0001 says which wills are published.
    db.exec('DELETE FROM handshakes WHERE substr(client_id, 1, 1) <> char(1)');
    for (const stream of STREAMS) {
      const firstSeq = records.count(stream).lastSeq + 1;
      if (stream === 'gaps' || firstSeq > upTo) continue;
      for (const lane of lanes.ofStream(stream)) this.#reportGap(lane, { firstSeq, lastSeq: upTo, count: 0 });
    }
  }

  /**
   * As `LaneLog.open`. A lane that may have been in a log that lost its positions begins at the beginning, and is told so.
   * One whose last skip is lost skips again: what is upstream behind it does not say that it holds what was skipped.
   */
  openLane(id: LaneId, from: 'oldest' | 'now'): Seq {
    const { lanes, skips, clock } = this.#parts;
    const cursor = this.#isLost(id) ? this.#openLost(id) : lanes.open(id, from);
    this.reportMissingAtEnd(id);
    const skippedTo = id.range === undefined ? skips.skippedUpTo(id) : 0;
    return skippedTo > cursor ? lanes.skipTo(id, skippedTo, clock.now()) : cursor;
  }

  /** A lane at the end of its stream has nothing pending: what it has by the counts is lost, wherever that was. */
  reportMissingAtEnd(id: LaneId): void {
    const lane = this.isUnfinished ? undefined : this.#parts.lanes.offAtEnd(id);
    if (lane !== undefined) this.#reportMissing(lane, 1);
  }

  /** Every lane that is to be told of lost positions was opened: one that is not known is new from now on. */
  forgetLostPositions(): void {
    if (this.#lostUpTo === undefined) return;
    this.#note(LOG_NOTES.lostUpTo, null);
    this.#lostUpTo = undefined;
  }

  #lastSeqs(): Partial<Record<Stream, Seq>> {
    return Object.fromEntries(STREAMS.map((stream) => [stream, this.#parts.records.count(stream).lastSeq]));
  }

  #begin(counted: Partial<Record<Stream, Seq>>): void {
    this.#note(LOG_NOTES.salvage, JSON.stringify(counted));
    this.#counted = counted;
  }

  #isLost(id: LaneId): boolean {
    return this.#lostUpTo !== undefined && id.range === undefined && !this.#parts.lanes.isKnown(id);
  }

  #openLost(id: LaneId): Seq {
    const cursor = this.#parts.lanes.open(id, 'beginning');
    if (id.stream !== 'gaps') this.#reportGap(id, { firstSeq: 1, lastSeq: this.#lostUpTo ?? 0, count: 0 });
    return cursor;
  }

  #isWanted({ stream, seq, body }: FoundRecord): boolean {
    const { lanes, queues } = this.#parts;
    const readers = lanes.ofStream(stream);
    // A lane that was lost may want what all others have done with.
    if (this.#lostUpTo !== undefined || readers.length === 0 || queues.mayPointAt(stream, seq)) return true;
    return readers.some((lane) => lanes.pending.of(lane, [{ seq, body }]).length > 0);
  }

  /** Once for an opening: what is lost has no seq above the one that is returned, and that is told. */
  #skipLostSeqs(): Seq {
    this.#skippedTo ??= this.#parts.records.skipSeqs();
    this.#note(LOG_NOTES.toldUpTo, String(this.#skippedTo));
    return this.#skippedTo;
  }

  #losePositions(): void {
    const upTo = this.#skipLostSeqs();
    this.#note(LOG_NOTES.lostUpTo, String(upTo));
    this.#lostUpTo = upTo;
    this.#passIds(upTo);
  }

  /** An upstream may hold something under the id of a range, and knows it again by that: none is given out twice. */
  #passIds(upTo: Seq): void {
    const { db } = this.#parts;
    db.prepare('UPDATE sqlite_sequence SET seq = max(seq, ?)').run(upTo);
    db.prepare(
      `INSERT INTO sqlite_sequence SELECT name, ? FROM sqlite_schema
       WHERE sql LIKE '%AUTOINCREMENT%' AND name NOT IN (SELECT name FROM sqlite_sequence)`,
    ).run(upTo);
  }

  /**
   * What the lane skipped is not known any more, but from where on it has not done with everything: that is sent again, and
   * how much of it is lost nobody can say.
   */
  #skipAgain({ uplink, stream, cursor, done }: Lane): void {
    const { ranges, clock } = this.#parts;
    if (done >= cursor) return;
    ranges.skip({ uplink, stream }, { from: done, upTo: cursor, at: clock.now() });
    this.#reportGap({ uplink, stream }, { firstSeq: done + 1, lastSeq: cursor, count: 0 });
  }

  #reportMissing(lane: Lane, firstSeq = this.#parts.lanes.doneOf(lane) + 1): number {
    const { lanes, records } = this.#parts;
    const count = lanes.pending.missingCount(lane);
    if (count < 0) lanes.adopt(lane, -count);
    if (count <= 0) return 0;
    // What came since is all there.
    const lastSeq = this.#counted?.[lane.stream] || records.count(lane.stream).lastSeq;
    lanes.drop(lane, lane.cursor, { reason: 'corruption', count, bytes: 0, passedBytes: 0 });
    this.#reportGap(lane, { firstSeq, lastSeq, count });
    return count;
  }

  /** Of what is gone neither devices nor times are known. */
  #reportGap(lane: Pick<Lane, 'uplink' | 'stream'>, loss: { firstSeq: Seq; lastSeq: Seq; count: number }): void {
    const now = this.#parts.clock.now();
    this.#parts.gaps.report(lane, { device: null, bytes: 0, firstTime: now, lastTime: now, ...loss }, 'corruption');
  }

  /** Of the last copy of `state.db`; undefined when none was noted. */
  stateGeneration(): string | undefined {
    return notedIn(this.#parts.db, LOG_NOTES.stateGeneration);
  }

  /** In a commit of its own. */
  noteStateGeneration(generation: string): void {
    this.#note(LOG_NOTES.stateGeneration, generation);
  }

  #note(name: string, value: string | null): void {
    const { db } = this.#parts;
    if (value === null) db.prepare('DELETE FROM meta WHERE name = ?').run(name);
    else db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(name, value);
  }
}
