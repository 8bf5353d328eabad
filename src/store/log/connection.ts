import { randomUUID } from 'node:crypto';
import type Database from 'better-sqlite3';
import { LOG_NOTES, notedIn } from '../notes.ts';
import type { SeqReservation } from '../seqs.ts';
import { type Durability, openForWriting } from '../sqlite.ts';
import type { StoreClock } from '../store-clock.ts';
import { Boots } from './boots.ts';
import { GapReports } from './gap-reports.ts';
import { IdempotencyKeys, type IdempotencyLimits } from './idempotency-keys.ts';
import { Intake } from './intake.ts';
import { Kept } from './kept.ts';
import { KnownTimes } from './known-times.ts';
import { Lanes, type SkipNotes } from './lanes.ts';
import { Queues } from './queues.ts';
import { Ranges } from './ranges.ts';
import { Reclaim } from './reclaim.ts';
import { Records } from './records.ts';
import { Recovery } from './recovery.ts';
import { LOG_MIGRATIONS } from './schema.ts';
import { Space } from './space.ts';
import { UntakenReports } from './untaken.ts';
import { Totals } from './uplink-totals.ts';

export interface LogOptions {
  readonly file: string;
  readonly durability: Durability;
  readonly walBytes: number;
  /** What rejects may take, and refused messages as much again. */
  readonly keptBytes: number;
  readonly idempotency: IdempotencyLimits;
  readonly seqs: SeqReservation;
  readonly skips: SkipNotes;
  readonly clock: StoreClock;
  /** Names the machine; a log that wakes up on another one (a cloned card) gets a new epoch. */
  readonly machineId: string;
  /** Of a log that is lost: a new one goes on with it, because no seq is ever given out twice. */
  readonly lostEpoch?: string | undefined;
}

/** An open `log.db` and everything that works over it. Opened again as a whole: statements die with their file. */
export class LogConnection {
  readonly db: Database.Database;
  readonly epoch: string;
  readonly lanes: Lanes;
  readonly ranges: Ranges;
  readonly totals: Totals;
  readonly records: Records;
  readonly reclaim: Reclaim;
  readonly queues: Queues;
  readonly kept: Kept;
  readonly keys: IdempotencyKeys;
  readonly times: KnownTimes;
  readonly boots: Boots;
  readonly gaps: GapReports;
  readonly untaken: UntakenReports;
  readonly recovery: Recovery;
  readonly intake: Intake;
  readonly space: Space;

  /** @throws SluiceError as `openForWriting` */
  constructor(options: LogOptions, { mustExist }: { readonly mustExist: boolean }) {
    this.db = openForWriting({ ...options, migrations: LOG_MIGRATIONS, mustExist });
    try {
      this.space = new Space(this.db, options.file);
      this.epoch = epochOn(this.db, options);
      this.records = new Records(this.db, options.seqs);
      this.ranges = new Ranges(this.db);
      this.lanes = new Lanes(this.db, this.records, this.ranges);
      this.totals = new Totals(this.db);
      this.queues = new Queues(this.db, this.records);
      this.times = new KnownTimes(this.db);
      this.boots = new Boots(this.db);
      const { records, lanes, epoch } = this;
      this.gaps = new GapReports({ records, lanes, epoch, clock: options.clock });
      this.untaken = new UntakenReports(this.db);
      this.reclaim = new Reclaim({ ...this.#parts(), gaps: this.gaps, clock: options.clock });
      this.kept = new Kept(this.db, options.keptBytes);
      this.keys = new IdempotencyKeys(this.db, options.idempotency, options.clock);
      const reload = () => this.reload();
      const { skips, clock } = options;
      this.recovery = new Recovery({ ...this.#parts(), db: this.db, gaps: this.gaps, skips, clock, reload });
      const { queues, kept, keys, untaken } = this;
      this.intake = new Intake(this.db, { records, queues, kept, keys, untaken });
    } catch (error) {
      this.db.close();
      throw error;
    }
  }

  /** To be called last in a transaction. */
  flush(): void {
    this.records.flush();
    this.lanes.flush();
    this.ranges.flush();
    this.totals.flush();
  }

  /** As it is on disk, after a rollback. */
  reload(): void {
    this.records.reload();
    this.lanes.reload();
    this.ranges.reload();
    this.totals.reload();
    this.kept.reload();
    this.keys.reload();
    this.queues.reload();
    this.untaken.reload();
    this.recovery.reload();
  }

  #parts(): { records: Records; lanes: Lanes; ranges: Ranges; queues: Queues; times: KnownTimes } {
    return { records: this.records, lanes: this.lanes, ranges: this.ranges, queues: this.queues, times: this.times };
  }
}

function epochOn(db: Database.Database, { machineId, lostEpoch }: LogOptions): string {
  const known = notedIn(db, LOG_NOTES.epoch);
  if (known !== undefined && notedIn(db, LOG_NOTES.machineId) === machineId) return known;
  const epoch = (known === undefined ? lostEpoch : undefined) ?? randomUUID().replaceAll('-', '').slice(0, 16);
  const write = db.prepare('INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value');
  db.transaction(() => {
    write.run(LOG_NOTES.epoch, epoch);
    write.run(LOG_NOTES.machineId, machineId);
  })();
  return epoch;
}
