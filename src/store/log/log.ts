import { randomUUID } from 'node:crypto';
import { statSync } from 'node:fs';
import type Database from 'better-sqlite3';
import { codeOf } from '../../core/errors.ts';
import type { Appended, LaneId, LogStats, NewReplay, ReplayStats, Settlement } from '../../core/ports.ts';
import type { Handshake, Seq } from '../../core/record.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import type { PackedEntry } from '../pack.ts';
import { type Durability, openForWriting } from '../sqlite.ts';
import type { StoreClock } from '../store-clock.ts';
import { GapReports } from './gap-reports.ts';
import { IdempotencyKeys, type IdempotencyLimits, type KnownKey } from './idempotency-keys.ts';
import { Kept } from './kept.ts';
import { KnownTimes } from './known-times.ts';
import { Lanes } from './lanes.ts';
import { OverShare } from './over-share.ts';
import { Queues } from './queues.ts';
import { Ranges } from './ranges.ts';
import { Reclaim } from './reclaim.ts';
import { Records, type SeqReservation } from './records.ts';
import { retriedBody } from './retried.ts';
import { LOG_MIGRATIONS } from './schema.ts';
import { Totals } from './uplink-totals.ts';

export interface LogOptions {
  readonly file: string;
  readonly durability: Durability;
  readonly walBytes: number;
  /** What rejects may take, and refused messages as much again. */
  readonly keptBytes: number;
  readonly idempotency: IdempotencyLimits;
  readonly seqs: SeqReservation;
  readonly clock: StoreClock;
  /** Names the machine; a log that wakes up on another one (a cloned card) gets a new epoch. */
  readonly machineId: string;
}

const NOTHING: Appended = { firstSeq: 0, duplicate: false };
const DUPLICATE: Appended = { firstSeq: 0, duplicate: true };

/** `log.db`, synchronous: the only writer, on the store worker. All writing happens inside `transaction`. */
export class Log {
  readonly epoch: string;
  readonly lanes: Lanes;
  readonly ranges: Ranges;
  readonly totals: Totals;
  readonly records: Records;
  readonly reclaim: Reclaim;
  readonly queues: Queues;
  readonly overShare: OverShare;
  readonly #file: string;
  readonly #db: Database.Database;
  readonly #kept: Kept;
  readonly #keys: IdempotencyKeys;
  readonly #clock: StoreClock;
  readonly #times: KnownTimes;
  readonly #gaps: GapReports;
  readonly #openHandshake: Database.Statement;
  readonly #pageBytes: number;

  constructor(options: LogOptions) {
    this.#file = options.file;
    this.#clock = options.clock;
    this.#db = openForWriting({ ...options, migrations: LOG_MIGRATIONS });
    this.#pageBytes = Number(this.#db.pragma('page_size', { simple: true }));
    this.epoch = this.#epochOn(options.machineId);
    this.records = new Records(this.#db, options.seqs);
    this.ranges = new Ranges(this.#db);
    this.lanes = new Lanes(this.#db, this.records, this.ranges);
    this.totals = new Totals(this.#db);
    this.queues = new Queues(this.#db, this.records);
    this.#times = new KnownTimes(this.#db);
    this.#gaps = new GapReports({ records: this.records, lanes: this.lanes, epoch: this.epoch, clock: options.clock });
    this.overShare = new OverShare(this.#db);
    this.reclaim = new Reclaim({ ...this.#parts(), gaps: this.#gaps, clock: options.clock });
    this.#kept = new Kept(this.#db, options.keptBytes);
    this.#keys = new IdempotencyKeys(this.#db, options.idempotency, options.clock);
    this.transaction(() => {
      this.#kept.trim();
      this.#keys.trim();
    });
    this.#openHandshake = this.#db.prepare('INSERT OR IGNORE INTO handshakes VALUES (?, ?)');
  }

  /** Everything that `work` changes is on disk when this returns, or nothing is and it throws. */
  transaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.records.flush();
      this.lanes.flush();
      this.ranges.flush();
      this.totals.flush();
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.inTransaction) this.#db.exec('ROLLBACK');
      this.records.reload();
      this.lanes.reload();
      this.ranges.reload();
      this.totals.reload();
      this.#kept.reload();
      this.#keys.reload();
      this.queues.reload();
      this.overShare.reload();
      throw error;
    }
  }

  append(entry: PackedEntry): Appended {
    switch (entry.kind) {
      case 'records':
        return this.#appendRecords(entry);
      case 'refused':
        return this.#appendRefused(entry);
      case 'over_share':
        return this.#appendOverShare(entry);
      case 'queues':
        this.queues.change(entry.changes);
        return NOTHING;
      case 'release':
        this.#closeHandshake(entry.clientId, entry.packetId);
        return NOTHING;
      case 'barrier':
        return NOTHING;
    }
  }

  /** Everything that was refused for its share since the last time becomes gaps. */
  reportOverShare(): void {
    this.overShare.report(this.lanes, this.#gaps);
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
      if (body !== undefined) this.#kept.reject(lane, rejection, { at, body });
    }
  }

  skipAhead(lane: LaneId): Seq {
    return this.lanes.skipAhead(lane, this.#clock.now());
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
    const reject = this.#kept.findReject(id);
    if (reject === undefined) return undefined;
    const { uplink, stream } = reject;
    const seq = this.records.append(stream, retriedBody(reject, this.#clock));
    this.records.directed.add(stream, seq, uplink);
    this.lanes.excludeFromOthers(stream, uplink);
    this.#kept.removeReject(id);
    return seq;
  }

  /** False when there is none of that id. */
  removeReject(id: number): boolean {
    return this.#kept.removeReject(id);
  }

  removeRefused(id: number): boolean {
    return this.#kept.removeRefused(id);
  }

  /** Exchanges that were open when the store was opened. */
  openHandshakes(): Handshake[] {
    return this.#db.prepare<[], Handshake>('SELECT client_id AS clientId, packet_id AS packetId FROM handshakes').all();
  }

  lastSeq(stream: Stream): Seq {
    return this.records.count(stream).lastSeq;
  }

  /** To be called when the clock is known to be right: everything in the log is older than now. */
  noteTime(): void {
    this.transaction(() => this.#times.add(this.records.lastSeq, this.#clock.now()));
  }

  /** Bytes of the pages that hold something. */
  usedBytes(): number {
    return (this.#pragma('page_count') - this.#pragma('freelist_count')) * this.#pageBytes;
  }

  /** The part of the stored records, by their bytes, that no uplink has delivered yet. Estimated, see `Records.storedBytes`. */
  waitingPart(): number {
    const sum = (bytesOf: (stream: Stream) => number) => STREAMS.reduce((total, stream) => total + bytesOf(stream), 0);
    const stored = sum((stream) => this.records.storedBytes(stream));
    const waiting = sum((stream) => this.lanes.waitingBytes(stream));
    return stored === 0 ? 0 : Math.min(1, waiting / stored);
  }

  /** Bytes of the write-ahead log as it is now. */
  walBytes(): number {
    return statSync(`${this.#file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  }

  freePageBytes(): number {
    return this.#pragma('freelist_count') * this.#pageBytes;
  }

  /** Gives so many bytes of free pages back to the file system. */
  giveBack(bytes: number): void {
    this.#db.pragma(`incremental_vacuum(${Math.ceil(bytes / this.#pageBytes)})`);
  }

  /** Carries the write-ahead log over into the database file and makes it durable. */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    this.#db.pragma(`wal_checkpoint(${mode})`);
  }

  /** As `checkpoint`, but a full disk is no error: the write-ahead log keeps what it holds. */
  tryCheckpoint(mode: 'PASSIVE' | 'TRUNCATE'): void {
    try {
      this.checkpoint(mode);
    } catch (error) {
      if (codeOf(error) !== 'SQLITE_FULL') throw error;
    }
  }

  stats(): Pick<LogStats, 'epoch' | 'streams' | 'lanes' | 'backfills' | 'uplinks' | 'refusedCount' | 'rejectsCount'> {
    const kept = this.#kept.counts();
    const overShare = this.overShare.totals();
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

  close(): void {
    this.tryCheckpoint('TRUNCATE');
    this.#db.close();
  }

  #parts(): { records: Records; lanes: Lanes; ranges: Ranges; queues: Queues; times: KnownTimes } {
    return { records: this.records, lanes: this.lanes, ranges: this.ranges, queues: this.queues, times: this.#times };
  }

  #appendRecords({ handshake, idempotency, records, keep }: Extract<PackedEntry, { kind: 'records' }>): Appended {
    const known = idempotency && this.#keys.find(idempotency);
    if (known !== undefined) return repeatOf(known);
    if (this.#isRepeated(handshake)) return DUPLICATE;
    let firstSeq = 0;
    for (const { stream, body } of records) {
      const seq = this.records.append(stream, body);
      if (firstSeq === 0) firstSeq = seq;
    }
    if (idempotency !== undefined) this.#keys.remember(idempotency, firstSeq);
    const only = records.length === 1 ? records[0] : undefined;
    if (keep !== undefined) this.queues.keep(keep, only === undefined ? null : { stream: only.stream, seq: firstSeq });
    return { firstSeq, duplicate: false };
  }

  #appendRefused({ message, handshake, keep }: Extract<PackedEntry, { kind: 'refused' }>): Appended {
    if (this.#isRepeated(handshake)) return DUPLICATE;
    this.#kept.refuse(message);
    if (keep !== undefined) this.queues.keep(keep, null);
    return NOTHING;
  }

  #appendOverShare({ share, handshake, keep }: Extract<PackedEntry, { kind: 'over_share' }>): Appended {
    if (this.#isRepeated(handshake)) return DUPLICATE;
    this.overShare.add(share);
    if (keep !== undefined) this.queues.keep(keep, null);
    return NOTHING;
  }

  #isRepeated(handshake: Handshake | null = null): boolean {
    return handshake !== null && this.#openHandshake.run(handshake.clientId, handshake.packetId).changes === 0;
  }

  #closeHandshake(clientId: string, packetId: number | null): void {
    if (packetId === null) this.#db.prepare('DELETE FROM handshakes WHERE client_id = ?').run(clientId);
    else this.#db.prepare('DELETE FROM handshakes WHERE client_id = ? AND packet_id = ?').run(clientId, packetId);
  }

  #epochOn(machineId: string): string {
    const read = this.#db.prepare<[string], string>('SELECT value FROM meta WHERE name = ?').pluck();
    const known = read.get('epoch');
    if (known !== undefined && read.get('machine_id') === machineId) return known;
    const epoch = randomUUID().replaceAll('-', '').slice(0, 16);
    const write = this.#db.prepare(
      'INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value',
    );
    this.#db.transaction(() => {
      write.run('epoch', epoch);
      write.run('machine_id', machineId);
    })();
    return epoch;
  }

  #pragma(name: string): number {
    return Number(this.#db.pragma(name, { simple: true }));
  }
}

function repeatOf(known: KnownKey): Appended {
  if ('reused' in known) return { firstSeq: 0, duplicate: false, keyReused: true };
  return { firstSeq: known.firstSeq, duplicate: true };
}
