import type Database from 'better-sqlite3';
import { SluiceError } from '../../core/errors.ts';
import type { GapReason } from '../../core/gap.ts';
import type { LaneId, LaneStats } from '../../core/ports.ts';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import type { Records } from './records.ts';

/** A cursor with its counts. `base`: records of the stream that are not this lane's. */
export interface Lane {
  readonly uplink: string;
  readonly stream: Stream;
  cursor: Seq;
  base: number;
  delivered: number;
  rejected: number;
  dropped: number;
  /** Last seq of the batch in flight; at most `cursor` when there is none. Not on disk: no batch outlives a start. */
  claimedUpTo: Seq;
  dirty: boolean;
}

interface DropRow {
  uplink: string;
  stream: Stream;
  reason: string;
  count: number;
}

/** The readers' positions. Every method that writes belongs into a transaction that ends with `flush`. */
export class Lanes {
  readonly #db: Database.Database;
  readonly #records: Records;
  readonly #save: Database.Statement;
  #lanes: Lane[] = [];

  constructor(db: Database.Database, records: Records) {
    this.#db = db;
    this.#records = records;
    this.#save = db.prepare(
      'UPDATE lanes SET cursor = ?, base = ?, delivered = ?, rejected = ?, dropped = ? WHERE uplink = ? AND stream = ?',
    );
    this.reload();
  }

  reload(): void {
    const claims = new Map(this.#lanes.map((lane) => [`${lane.uplink}/${lane.stream}`, lane.claimedUpTo]));
    const rows = this.#db.prepare<[], Omit<Lane, 'claimedUpTo' | 'dirty'>>('SELECT * FROM lanes').all();
    this.#lanes = rows.map((row) => ({
      ...row,
      claimedUpTo: claims.get(`${row.uplink}/${row.stream}`) ?? 0,
      dirty: false,
    }));
  }

  ofStream(stream: Stream): readonly Lane[] {
    return this.#lanes.filter((lane) => lane.stream === stream);
  }

  uplinks(): string[] {
    return [...new Set(this.#lanes.map((lane) => lane.uplink))];
  }

  open({ uplink, stream }: LaneId, from: 'oldest' | 'now'): Seq {
    const known = this.#find({ uplink, stream });
    if (known !== undefined) return known.cursor;
    const { acceptedCount, removedCount, lastSeq } = this.#records.count(stream);
    // What stands in `gaps` already concerns other uplinks.
    const fromNow = from === 'now' || stream === 'gaps';
    const cursor = fromNow ? lastSeq : 0;
    const forOthers = this.#records.directed.countForOthers(uplink, stream);
    const base = fromNow ? acceptedCount : removedCount + forOthers;
    this.#db
      .prepare('INSERT INTO lanes (uplink, stream, cursor, base) VALUES (?, ?, ?, ?)')
      .run(uplink, stream, cursor, base);
    const counts = { delivered: 0, rejected: 0, dropped: 0 };
    this.#lanes.push({ uplink, stream, cursor, base, ...counts, claimedUpTo: 0, dirty: false });
    return cursor;
  }

  claim(id: LaneId, upTo: Seq): Seq {
    const lane = this.#get(id);
    lane.claimedUpTo = Math.max(lane.claimedUpTo, upTo);
    return lane.cursor;
  }

  release(id: LaneId): void {
    this.#get(id).claimedUpTo = 0;
  }

  /** Moves the cursor over records that were delivered or rejected. The claim on what lies behind stays. */
  advance(id: LaneId, step: { from: Seq; upTo: Seq; deliveredCount: number; rejectedCount: number }): void {
    const lane = this.#get(id);
    if (lane.cursor !== step.from || step.upTo < step.from) {
      throw new SluiceError(
        `settle of ${id.uplink}/${id.stream} from ${step.from} to ${step.upTo}, but its cursor is ${lane.cursor}`,
        { code: 'settle_out_of_step' },
      );
    }
    lane.cursor = step.upTo;
    lane.delivered += step.deliveredCount;
    lane.rejected += step.rejectedCount;
    lane.dirty = true;
  }

  /** Moves the cursor over records that a limit took. */
  drop(lane: Lane, upTo: Seq, drop: { reason: GapReason; count: number; bytes: number }): void {
    lane.cursor = upTo;
    lane.dropped += drop.count;
    lane.dirty = true;
    if (drop.count === 0) return;
    this.#db
      .prepare(
        `INSERT INTO drops VALUES (?, ?, ?, ?, ?)
         ON CONFLICT (uplink, stream, reason) DO UPDATE SET count = count + excluded.count,
           bytes = bytes + excluded.bytes`,
      )
      .run(lane.uplink, lane.stream, drop.reason, drop.count, drop.bytes);
  }

  /** A record was appended that is for `uplink` alone: for all other lanes of its stream it does not exist. */
  excludeFromOthers(stream: Stream, uplink: string): void {
    for (const lane of this.ofStream(stream)) {
      if (lane.uplink === uplink) continue;
      lane.base += 1;
      lane.dirty = true;
    }
  }

  flush(): void {
    for (const lane of this.#lanes) {
      if (!lane.dirty) continue;
      const { cursor, base, delivered, rejected, dropped, uplink, stream } = lane;
      this.#save.run(cursor, base, delivered, rejected, dropped, uplink, stream);
      lane.dirty = false;
    }
  }

  stats(): LaneStats[] {
    const drops = this.#db.prepare<[], DropRow>('SELECT uplink, stream, reason, count FROM drops').all();
    return this.#lanes.map((lane) => {
      const acceptedCount = this.#records.count(lane.stream).acceptedCount - lane.base;
      const pendingCount = acceptedCount - lane.delivered - lane.rejected - lane.dropped;
      const mine = drops.filter(({ uplink, stream }) => uplink === lane.uplink && stream === lane.stream);
      return {
        uplink: lane.uplink,
        stream: lane.stream,
        cursor: lane.cursor,
        acceptedCount,
        deliveredCount: lane.delivered,
        rejectedCount: lane.rejected,
        droppedCount: lane.dropped,
        droppedByReason: Object.fromEntries(mine.map(({ reason, count }) => [reason, count])),
        pendingCount,
        oldestPendingAt: pendingCount > 0 ? this.#records.oldestReceivedAt(lane.stream, lane.cursor) : null,
      };
    });
  }

  #find({ uplink, stream }: LaneId): Lane | undefined {
    return this.#lanes.find((lane) => lane.uplink === uplink && lane.stream === stream);
  }

  #get(id: LaneId): Lane {
    const lane = this.#find(id);
    if (lane === undefined) {
      throw new SluiceError(`lane ${id.uplink}/${id.stream} was never opened`, { code: 'unknown_lane' });
    }
    return lane;
  }
}
