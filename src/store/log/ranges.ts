import { Buffer } from 'node:buffer';
import type Database from 'better-sqlite3';
import { SluiceError } from '../../core/errors.ts';
import type { LaneId, LaneRange, RangeKind } from '../../core/lane-log.ts';
import type { BackfillStats, NewReplay, ReplayStats } from '../../core/log-stats.ts';
import type { Seq } from '../../core/record.ts';
import { isIntact, isOfDevice } from '../../core/record-codec.ts';
import type { Stream } from '../../core/stream.ts';
import { Corrections } from './corrections.ts';
import type { StoredBody } from './records.ts';

/** Of one lane. A link that comes and goes makes one each time that a backlog of more than a batch has built up. */
const MAX_BACKFILLS = 256;
/** Not done, of all uplinks. */
const MAX_ACTIVE_REPLAYS = 16;
const MAX_DONE_REPLAYS = 100;

/** (cursor, upTo] is to be sent; done when `cursor` has reached `upTo`. */
export interface Range {
  readonly id: number;
  readonly uplink: string;
  readonly stream: Stream;
  readonly kind: RangeKind;
  readonly after: Seq;
  cursor: Seq;
  upTo: Seq;
  readonly at: number;
  readonly device: string | null;
  readonly from: number | null;
  readonly to: number | null;
  delivered: number;
  rejected: number;
  removed: number;
  /** As of a lane. */
  claimedUpTo: Seq;
  dirty: boolean;
}

type Row = Omit<Range, 'claimedUpTo' | 'dirty'>;

/**
 * What is sent beside the lanes. A backfill that is done is gone, a replay stays to be looked at. Every method that
 * writes belongs into a transaction that ends with `flush`.
 */
export class Ranges {
  readonly #db: Database.Database;
  readonly #corrections: Corrections;
  readonly #insert: Database.Statement;
  readonly #save: Database.Statement;
  readonly #delete: Database.Statement;
  /** In the order of their ids. */
  #ranges: Range[] = [];

  constructor(db: Database.Database) {
    this.#db = db;
    this.#corrections = new Corrections(db);
    this.#insert = db.prepare(
      `INSERT INTO ranges (uplink, stream, kind, after, cursor, up_to, at, device, from_time, to_time)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    );
    this.#save = db.prepare(
      'UPDATE ranges SET cursor = ?, up_to = ?, delivered = ?, rejected = ?, removed = ? WHERE id = ?',
    );
    this.#delete = db.prepare('DELETE FROM ranges WHERE id = ?');
    this.reload();
  }

  reload(): void {
    const claims = new Map(this.#ranges.map(({ id, claimedUpTo }) => [id, claimedUpTo]));
    const rows = this.#db
      .prepare<[], Row>(
        `SELECT id, uplink, stream, kind, after, cursor, up_to AS upTo, at, device, from_time AS "from",
           to_time AS "to", delivered, rejected, removed FROM ranges ORDER BY id`,
      )
      .all();
    this.#ranges = rows.map((row) => ({ ...row, claimedUpTo: claims.get(row.id) ?? 0, dirty: false }));
  }

  /** As those of lanes. */
  takeClaims(before: Ranges): void {
    const claims = new Map(before.#ranges.map(({ id, claimedUpTo }) => [id, claimedUpTo]));
    for (const range of this.#ranges) range.claimedUpTo = claims.get(range.id) ?? 0;
  }

  /** Those of the stream, of all uplinks, with something left to send. */
  ofStream(stream: Stream): readonly Range[] {
    return this.#ranges.filter((range) => range.stream === stream && !isDone(range));
  }

  /** What the lane skipped, the oldest first. */
  backfillsOf({ uplink, stream }: LaneId): readonly Range[] {
    return this.ofStream(stream).filter((range) => range.uplink === uplink && range.kind === 'backfill');
  }

  /** undefined when it is done, was cancelled, or never was. */
  find({ range: wanted }: LaneId): Range | undefined {
    const found = this.#ranges.find(({ id, kind }) => id === wanted?.id && kind === wanted.kind);
    return found === undefined || isDone(found) ? undefined : found;
  }

  /** Makes a backfill of (from, upTo], or lets the newest grow when it ends there. False when there are too many. */
  skip(lane: LaneId, { from, upTo, at }: { from: Seq; upTo: Seq; at: number }): boolean {
    const backfills = this.backfillsOf(lane);
    const newest = backfills.at(-1);
    if (newest?.upTo === from) {
      newest.upTo = upTo;
      newest.dirty = true;
      return true;
    }
    if (backfills.length >= MAX_BACKFILLS) return false;
    this.#add({ ...lane, kind: 'backfill', after: from, upTo, at, device: null, from: null, to: null });
    return true;
  }

  /** @throws SluiceError `too_many_replays` */
  addReplay(replay: NewReplay, at: number): ReplayStats {
    if (this.#replays().filter((range) => !isDone(range)).length >= MAX_ACTIVE_REPLAYS) {
      throw new SluiceError(`${MAX_ACTIVE_REPLAYS} replays are at work or wait for their turn`, {
        code: 'too_many_replays',
        hint: 'wait until one is done, or cancel one',
      });
    }
    const range = this.#add({ ...replay, kind: 'replay', upTo: Math.max(replay.after, replay.upTo), at });
    this.#trimDone();
    return replayStats(range);
  }

  /** False when there was no such replay. */
  removeReplay(id: number): boolean {
    if (!this.#replays().some((range) => range.id === id)) return false;
    this.#remove(id);
    return true;
  }

  /** The records that are removed from the log were still to be sent: a backfill's are its lane's to count. */
  pass(stream: Stream, upTo: Seq, chunk: readonly StoredBody[], isFor: (uplink: string, seq: Seq) => boolean): void {
    for (const range of this.ofStream(stream)) {
      if (range.cursor >= upTo) continue;
      if (range.kind === 'replay') {
        const fits = fitting(range, this.#corrections);
        range.removed += chunk.filter((row) => fits(row) && isFor(range.uplink, row.seq)).length;
      }
      this.moveTo(range, Math.min(upTo, range.upTo));
    }
  }

  moveTo(range: Range, cursor: Seq): void {
    range.cursor = cursor;
    range.dirty = true;
    if (!isDone(range)) return;
    if (range.kind === 'backfill') this.#remove(range.id);
    else this.#trimDone();
  }

  flush(): void {
    for (const range of this.#ranges) {
      if (!range.dirty) continue;
      const { cursor, upTo, delivered, rejected, removed, id } = range;
      this.#save.run(cursor, upTo, delivered, rejected, removed, id);
      range.dirty = false;
    }
  }

  /** What is left to send, backfills before replays. */
  toSend(uplink: string): LaneRange[] {
    const mine = this.#ranges.filter((range) => range.uplink === uplink && !isDone(range));
    const inOrder = [
      ...mine.filter(({ kind }) => kind === 'backfill'),
      ...mine.filter(({ kind }) => kind === 'replay'),
    ];
    return inOrder.map(({ id, kind, stream, upTo, device, from, to }) => ({
      lane: { uplink, stream, range: { kind, id } },
      upTo,
      filter: { device, from, to },
    }));
  }

  backfillStats(): BackfillStats[] {
    return this.#ranges
      .filter(({ kind }) => kind === 'backfill')
      .map(({ uplink, stream, id, cursor, upTo, at }) => ({ uplink, stream, id, cursor, upTo, at }));
  }

  replayStats(): ReplayStats[] {
    return this.#replays().map(replayStats).reverse();
  }

  #replays(): Range[] {
    return this.#ranges.filter(({ kind }) => kind === 'replay');
  }

  #add(row: Omit<Row, 'id' | 'cursor' | 'delivered' | 'rejected' | 'removed'>): Range {
    const { uplink, stream, kind, after, upTo, at, device, from, to } = row;
    const result = this.#insert.run(uplink, stream, kind, after, after, upTo, at, device, from, to);
    const counts = { delivered: 0, rejected: 0, removed: 0 };
    const id = Number(result.lastInsertRowid);
    const range: Range = {
      ...{ id, uplink, stream, kind, after, upTo, at, device, from, to },
      ...counts,
      cursor: after,
      claimedUpTo: 0,
      dirty: false,
    };
    this.#ranges.push(range);
    return range;
  }

  #remove(id: number): void {
    this.#delete.run(id);
    this.#ranges = this.#ranges.filter((range) => range.id !== id);
  }

  #trimDone(): void {
    const done = this.#replays().filter(isDone);
    for (const { id } of done.slice(0, Math.max(0, done.length - MAX_DONE_REPLAYS))) this.#remove(id);
  }
}

export function rangeGone({ uplink, stream, range }: LaneId): SluiceError {
  return new SluiceError(`${range?.kind} ${range?.id} of ${uplink}/${stream} is done or was cancelled`, {
    code: 'range_gone',
    retryable: true,
  });
}

function isDone({ cursor, upTo }: Range): boolean {
  return cursor >= upTo;
}

/** Which stored records the range would still have sent. What a damaged one says of itself cannot be used. */
function fitting({ cursor, upTo, device, from, to }: Range, corrections: Corrections): (row: StoredBody) => boolean {
  const name = device === null ? null : Buffer.from(device, 'latin1');
  return ({ seq, body }) => {
    if (seq <= cursor || seq > upTo) return false;
    if (!isIntact(body, seq)) return device === null && from === null && to === null;
    const at = corrections.receivedAt(body);
    return (name === null || isOfDevice(body, name)) && (from === null || at >= from) && (to === null || at < to);
  };
}

function replayStats(range: Range): ReplayStats {
  const { id, uplink, stream, after, cursor, upTo, at, device, from, to } = range;
  const { delivered: deliveredCount, rejected: rejectedCount, removed: removedCount } = range;
  const counts = { deliveredCount, rejectedCount, removedCount };
  return { id, uplink, stream, after, cursor, upTo, at, device, from, to, isDone: isDone(range), ...counts };
}
