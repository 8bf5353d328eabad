import type Database from 'better-sqlite3';
import { type Seq, soleUplink } from '../../core/record.ts';
import { readRecord } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { copyTables } from '../damage/copy-tables.ts';
import type { FoundRecord } from '../damage/leaf-scan.ts';
import type { StoreClock } from '../store-clock.ts';
import type { GapReports } from './gap-reports.ts';
import type { Lane, Lanes } from './lanes.ts';
import type { Queues } from './queues.ts';
import type { Ranges } from './ranges.ts';
import type { Records } from './records.ts';

interface RecoveryParts {
  readonly db: Database.Database;
  readonly records: Records;
  readonly lanes: Lanes;
  readonly ranges: Ranges;
  readonly queues: Queues;
  readonly gaps: GapReports;
  readonly clock: StoreClock;
  /** Reads everything again, as it is in the file. */
  readonly reload: () => void;
}

/** In `meta`. `salvage`: not all is put back of a damaged log, JSON of what it counted last of each stream. */
const SALVAGE = 'salvage';
/** In `meta`: a log was lost with its positions, and no seq of it is higher than this one. */
const LOST_UP_TO = 'positions_lost_up_to';

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

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
    this.reload();
  }

  reload(): void {
    const read = this.#parts.db.prepare<[string], string>('SELECT value FROM meta WHERE name = ?').pluck();
    const [salvage, lostUpTo] = [read.get(SALVAGE), read.get(LOST_UP_TO)];
    this.#counted = salvage === undefined ? undefined : JSON.parse(salvage);
    this.#lostUpTo = lostUpTo === undefined ? undefined : Number(lostUpTo);
  }

  /** Not all that can be read of a damaged log is put back. */
  get isUnfinished(): boolean {
    return this.#counted !== undefined;
  }

  /**
   * Everything but the records, from a damaged log that gave out no seq above `upTo`; the records count as removed until
   * they are put back.
   */
  takeOver(damagedFile: string, upTo: Seq): void {
    const { db, records, lanes, reload } = this.#parts;
    const copied = copyTables(damagedFile, db);
    const hasPositions = copied.has('streams') && copied.has('lanes');
    if (!hasPositions) {
      db.exec('DELETE FROM lanes; DELETE FROM ranges; DELETE FROM drops; DELETE FROM directed');
      db.exec('UPDATE streams SET accepted = 0, removed = 0, last_seq = 0');
      this.#note(LOST_UP_TO, String(upTo));
    }
    db.exec('UPDATE streams SET removed = accepted');
    reload();
    const counted = STREAMS.map((stream) => [stream, records.count(stream).lastSeq] as const);
    if (!copied.has('ranges'))
      for (const lane of STREAMS.flatMap((stream) => lanes.ofStream(stream))) this.#skipAgain(lane);
    this.#note(SALVAGE, JSON.stringify(Object.fromEntries(counted)));
    this.reload();
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

  /** All is put back: what was pending and is not there is each lane's loss, and is said so. Returns how many records that is. */
  finish(): number {
    let lost = 0;
    for (const stream of STREAMS) {
      for (const lane of this.#parts.lanes.ofStream(stream)) lost += this.#reportMissing(lane);
    }
    this.#note(SALVAGE, null);
    this.#counted = undefined;
    return lost;
  }

  /** Tells every lane that what came behind its stream's end may be lost, up to a seq: nobody knows how much that was. */
  reportUnknownLoss(upTo: Seq): void {
    const { records, lanes } = this.#parts;
    for (const stream of STREAMS) {
      const firstSeq = records.count(stream).lastSeq + 1;
      if (stream === 'gaps' || firstSeq > upTo) continue;
      for (const lane of lanes.ofStream(stream)) this.#reportGap(lane, { firstSeq, lastSeq: upTo, count: 0 });
    }
  }

  /** As `Lanes.open`. A lane that may have been in a log that lost its positions begins at the beginning, and is told so. */
  openLane(...[id, from]: Parameters<Lanes['open']>): Seq {
    const { lanes } = this.#parts;
    if (this.#lostUpTo === undefined || id.range !== undefined || lanes.isKnown(id)) return lanes.open(id, from);
    const cursor = lanes.open(id, 'beginning');
    if (id.stream !== 'gaps') this.#reportGap(id, { firstSeq: 1, lastSeq: this.#lostUpTo, count: 0 });
    return cursor;
  }

  /** Lanes that are not known from now on are new. */
  forgetLostPositions(): void {
    this.#note(LOST_UP_TO, null);
    this.#lostUpTo = undefined;
  }

  get hasLostPositions(): boolean {
    return this.#lostUpTo !== undefined;
  }

  #isWanted({ stream, seq, body }: FoundRecord): boolean {
    const { lanes, queues } = this.#parts;
    const readers = lanes.ofStream(stream);
    if (readers.length === 0 || queues.mayPointAt(stream, seq)) return true;
    return readers.some((lane) => lanes.pendingOf(lane, [{ seq, body }]).length > 0);
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

  #reportMissing(lane: Lane): number {
    const { lanes, records } = this.#parts;
    const count = lanes.missingCount(lane);
    if (count < 0) lanes.adopt(lane, -count);
    if (count <= 0) return 0;
    const firstSeq = lane.done + 1;
    const { lastSeq } = records.count(lane.stream);
    lanes.drop(lane, lane.cursor, { reason: 'corruption', count, bytes: 0, passedBytes: 0 });
    this.#reportGap(lane, { firstSeq, lastSeq, count });
    return count;
  }

  /** Of what is gone neither devices nor times are known. */
  #reportGap(lane: Pick<Lane, 'uplink' | 'stream'>, loss: { firstSeq: Seq; lastSeq: Seq; count: number }): void {
    const now = this.#parts.clock.now();
    this.#parts.gaps.report(lane, { device: null, bytes: 0, firstTime: now, lastTime: now, ...loss }, 'corruption');
  }

  #note(name: string, value: string | null): void {
    const { db } = this.#parts;
    if (value === null) db.prepare('DELETE FROM meta WHERE name = ?').run(name);
    else db.prepare('INSERT OR REPLACE INTO meta VALUES (?, ?)').run(name, value);
  }
}
