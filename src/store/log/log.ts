import { SluiceError } from '../../core/errors.ts';
import type { LaneId, Settlement } from '../../core/lane-log.ts';
import type { LogStats, NewReplay, ReplayStats } from '../../core/log-stats.ts';
import type { Appended } from '../../core/ports.ts';
import type { BootStart, Handshake, Seq } from '../../core/record.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { damaged, diskFaultOf, isDamage } from '../file-errors.ts';
import type { PackedEntry } from '../pack/unpack.ts';
import type { StoreClock } from '../store-clock.ts';
import { problemOfCounts } from './check-counts.ts';
import { LogConnection, type LogOptions } from './connection.ts';
import type { Lanes } from './lanes.ts';
import type { Queues } from './queues.ts';
import type { Ranges } from './ranges.ts';
import type { Reclaim } from './reclaim.ts';
import type { Records } from './records.ts';
import type { Recovery } from './recovery.ts';
import { retriedBody } from './retried.ts';
import type { Space } from './space.ts';
import type { UntakenReports } from './untaken.ts';
import type { Totals } from './uplink-totals.ts';

/** `log.db`, synchronous: the only writer, on the store worker. All writing happens inside `transaction`. */
export class Log {
  readonly #options: LogOptions;
  readonly #clock: StoreClock;
  #on: LogConnection;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#on = new LogConnection(options, { mustExist: false });
    this.transaction(() => {
      this.#on.kept.trim();
      this.#on.keys.trim();
    });
  }

  get epoch(): string {
    return this.#on.epoch;
  }

  get lanes(): Lanes {
    return this.#on.lanes;
  }

  get ranges(): Ranges {
    return this.#on.ranges;
  }

  get totals(): Totals {
    return this.#on.totals;
  }

  get untaken(): UntakenReports {
    return this.#on.untaken;
  }

  get records(): Records {
    return this.#on.records;
  }

  get reclaim(): Reclaim {
    return this.#on.reclaim;
  }

  get queues(): Queues {
    return this.#on.queues;
  }

  get space(): Space {
    return this.#on.space;
  }

  get recovery(): Recovery {
    return this.#on.recovery;
  }

  /**
   * Opens the file again, after a write that failed: everything is as it is on disk, batches in flight stay so.
   * The old connection is closed last, so that the new one still sees how far commits had succeeded, instead of
   * finding one that was never answered.
   * @throws SluiceError `store_replaced` when it is another file now; anything else as the first time
   */
  reopen(): void {
    const before = this.#on;
    const fresh = new LogConnection(this.#options, { mustExist: true });
    if (fresh.epoch !== before.epoch) {
      fresh.db.close();
      throw new SluiceError(`${this.#options.file} is another file than before`, { code: 'store_replaced' });
    }
    fresh.lanes.takeClaims(before.lanes);
    this.#on = fresh;
    before.db.close();
  }

  /** Everything that `work` changes is on disk when this returns, or nothing is and it throws. */
  transaction(work: () => void): void {
    const { db } = this.#on;
    db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#on.flush();
      db.exec('COMMIT');
    } catch (error) {
      if (db.inTransaction) db.exec('ROLLBACK');
      this.#on.reload();
      throw error;
    }
  }

  /**
   * Looks at little, so that a start is fast: of each stream the newest record must be the one that was counted last, and no
   * uplink can have got more than was accepted. @throws SluiceError `store_damaged`
   */
  check(): void {
    const problem = problemOfCounts(this.#on.db, this.#on);
    if (problem !== null) throw damaged(this.#options.file, problem);
  }

  /** Nothing was ever stored in it. */
  isNew(): boolean {
    return (
      this.lanes.uplinks().length === 0 && STREAMS.every((stream) => this.records.count(stream).acceptedCount === 0)
    );
  }

  /** Of the records that were ever stored, as they were counted; 0 when there were none. */
  newestSeq(): Seq {
    return Math.max(...STREAMS.map((stream) => this.lastSeq(stream)));
  }

  /** Closes a damaged file as it is. */
  abandon(): void {
    try {
      this.#on.db.close();
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
  }

  /** The first page of each stream's table. */
  roots(): Partial<Record<Stream, number>> {
    const read = this.#on.db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck();
    return Object.fromEntries(STREAMS.map((stream) => [stream, read.get(stream)]));
  }

  append(entry: PackedEntry): Appended {
    return this.#on.intake.append(entry);
  }

  /** Everything that was not taken since the last time becomes gaps. */
  reportUntaken(): void {
    this.untaken.report(this.lanes, this.#on.gaps);
  }

  settle({ lane, from, upTo, deliveredCount, rejected, sent }: Settlement): void {
    // A record that is damaged does not say itself that it is for another uplink.
    const own = rejected.filter(({ seq }) => this.records.directed.isFor(lane.uplink, lane.stream, seq));
    this.lanes.advance(lane, { from, upTo, deliveredCount, rejectedCount: own.length });
    if (sent !== undefined) this.totals.addSent(lane.uplink, sent);
    if (lane.range?.kind === 'replay') {
      this.totals.addReplayed(lane.uplink, deliveredCount);
      return;
    }
    const at = this.#clock.now();
    for (const rejection of own) {
      const body = this.records.body(lane.stream, rejection.seq);
      if (body !== undefined) this.#on.kept.reject(lane, rejection, { at, body });
    }
    this.recovery.reportMissingAtEnd(lane);
  }

  skipAhead(lane: LaneId): Seq {
    const upTo = this.lastSeq(lane.stream);
    // Before anything behind it can be upstream.
    if (upTo > this.lanes.cursorOf(lane)) this.#options.skips.noteSkip(lane, upTo);
    return this.lanes.skipTo(lane, upTo, this.#clock.now());
  }

  /** See `ReplayStore`. @throws SluiceError `unknown_lane`, `too_many_replays` */
  addReplay(replay: NewReplay): ReplayStats {
    const cursor = this.lanes.cursorOf(replay);
    return this.ranges.addReplay({ ...replay, upTo: Math.min(replay.upTo, cursor) }, this.#clock.now());
  }

  /**
   * Makes a new record of a reject, for the uplink that rejected it; the reject is gone then. Returns the new seq, or
   * undefined when there is none of that id. The old record stays counted as rejected, the new one is a new acceptance
   * for that uplink, and none for any other. @throws SluiceError `record_damaged`
   */
  retryReject(id: number): Seq | undefined {
    const reject = this.#on.kept.findReject(id);
    if (reject === undefined) return undefined;
    const { uplink, stream } = reject;
    const seq = this.records.append(
      stream,
      retriedBody(reject, { clock: this.#clock, corrections: this.records.corrections }),
    );
    this.records.directed.add(stream, seq, uplink);
    this.lanes.excludeFromOthers(stream, uplink);
    this.#on.kept.removeReject(id);
    return seq;
  }

  /** False when there is none of that id. */
  removeReject(id: number): boolean {
    return this.#on.kept.removeReject(id);
  }

  removeRefused(id: number): boolean {
    return this.#on.kept.removeRefused(id);
  }

  /** Exchanges that were open when the store was opened. */
  openHandshakes(): Handshake[] {
    return this.#on.intake.openHandshakes();
  }

  lastSeq(stream: Stream): Seq {
    return this.records.count(stream).lastSeq;
  }

  /** To be called when the clock is known to be right: everything in the log is older than now. */
  noteTime(): void {
    this.transaction(() => this.#on.times.add(this.records.lastSeq, this.#clock.now()));
  }

  /** What was accepted in that boot before the clock was synchronised has its true time from now on. */
  noteSync(boot: BootStart): void {
    this.#on.boots.note(boot);
  }

  /** The part of the stored records, by their bytes, that the uplink that is furthest behind has not delivered yet. Estimated, see `Records.storedBytes`. */
  waitingPart(): number {
    const sum = (bytesOf: (stream: Stream) => number) => STREAMS.reduce((total, stream) => total + bytesOf(stream), 0);
    const stored = sum((stream) => this.records.storedBytes(stream));
    const waiting = sum((stream) => this.lanes.waitingBytes(stream));
    return stored === 0 ? 0 : Math.min(1, waiting / stored);
  }

  stats(): Pick<LogStats, 'epoch' | 'streams' | 'lanes' | 'backfills' | 'uplinks' | 'refusedCount' | 'rejectsCount'> {
    const kept = this.#on.kept.counts();
    const overShare = this.untaken.shareTotals();
    return {
      epoch: this.epoch,
      streams: STREAMS.map((stream) => {
        const { acceptedCount, removedCount, lastSeq } = this.records.count(stream);
        const oldestReceivedAt = this.records.oldestReceivedAt(stream, 0);
        const storedCount = acceptedCount - removedCount;
        const overShareCount = overShare.get(stream) ?? 0;
        return { stream, acceptedCount, storedCount, lastSeq, oldestReceivedAt, overShareCount };
      }),
      lanes: this.lanes.stats(),
      backfills: this.ranges.backfillStats(),
      uplinks: this.totals.stats(),
      refusedCount: kept.refused,
      rejectsCount: kept.rejects,
    };
  }

  /** On a disk that takes no writes the write-ahead log keeps what it holds. */
  close(): void {
    try {
      this.space.checkpoint('TRUNCATE');
    } catch (error) {
      if (diskFaultOf(error) === undefined) throw error;
    }
    this.#on.db.close();
  }
}
