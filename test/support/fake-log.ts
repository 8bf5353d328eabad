import { SluiceError } from '../../src/core/errors.ts';
import type { Batch, LaneId, LaneLog, LogReader, ReadLimit, Rejection, Settlement } from '../../src/core/ports.ts';
import type { NewRecord, Seq, StoredRecord } from '../../src/core/record.ts';
import type { Stream } from '../../src/core/stream.ts';

export interface LaneCounts {
  readonly cursor: Seq;
  readonly acceptedCount: number;
  readonly deliveredCount: number;
  readonly rejectedCount: number;
  readonly droppedCount: number;
  readonly pendingCount: number;
}

interface FakeLane {
  readonly id: LaneId;
  cursor: Seq;
  claimedUpTo: Seq;
  acceptedCount: number;
  deliveredCount: number;
  rejectedCount: number;
  droppedCount: number;
  readonly rejected: Rejection[];
}

/** The log in memory, with the promises of the real one. */
export class FakeLog implements LogReader, LaneLog {
  /** All streams, in the order of their seqs. */
  readonly #records: StoredRecord[] = [];
  readonly #damaged = new Set<Seq>();
  readonly #lanes = new Map<string, FakeLane>();
  readonly #waiting = new Set<() => void>();
  /** How often each lane waited: only the last one goes on waiting. */
  readonly #waitCounts = new Map<string, number>();
  #lastSeq: Seq = 0;
  readonly #lastSeqs = new Map<Stream, Seq>();
  /** Every settlement that was made, in order. */
  readonly settlements: Settlement[] = [];
  /** Awaited before a settlement is made: a test may delay it or let it fail. */
  beforeSettle: (settlement: Settlement) => Promise<void> = () => Promise.resolve();

  append(records: readonly NewRecord[]): Seq[] {
    const stored = records.map((record) => {
      this.#lastSeq += 1;
      return { ...record, seq: this.#lastSeq };
    });
    this.#records.push(...stored);
    for (const { stream, seq } of stored) this.#lastSeqs.set(stream, seq);
    for (const lane of this.#lanes.values())
      lane.acceptedCount += stored.filter((record) => isOf(lane.id, record)).length;
    for (const wake of this.#waiting) wake();
    return stored.map(({ seq }) => seq);
  }

  /** A limit wants everything of the stream up to here gone; what is in flight stays, and what is behind it. */
  drop(stream: Stream, upTo: Seq): void {
    const lanes = [...this.#lanes.values()].filter(({ id }) => id.stream === stream);
    const inFlight = lanes.filter(({ cursor, claimedUpTo }) => claimedUpTo > cursor).map(({ cursor }) => cursor);
    const allowed = Math.min(upTo, ...inFlight);
    for (const lane of lanes) {
      if (lane.cursor >= allowed) continue;
      lane.droppedCount += this.#count(lane.id, lane.cursor, allowed);
      lane.cursor = allowed;
    }
    const kept = this.#records.filter((record) => record.stream !== stream || record.seq > allowed);
    this.#records.splice(0, this.#records.length, ...kept);
  }

  damage(seq: Seq): void {
    this.#damaged.add(seq);
  }

  counts(id: LaneId): LaneCounts {
    const { cursor, acceptedCount, deliveredCount, rejectedCount, droppedCount } = this.#lane(id);
    const pendingCount = this.#count(id, cursor, this.#lastSeq);
    return { cursor, acceptedCount, deliveredCount, rejectedCount, droppedCount, pendingCount };
  }

  rejected(id: LaneId): readonly Rejection[] {
    return this.#lane(id).rejected;
  }

  isInFlight(id: LaneId): boolean {
    const { cursor, claimedUpTo } = this.#lane(id);
    return claimedUpTo > cursor;
  }

  read(stream: Stream, after: Seq, { maxRecords, maxBytes }: ReadLimit): Batch {
    const records: StoredRecord[] = [];
    const damaged: Seq[] = [];
    let upTo = after;
    let bytes = 0;
    for (const record of this.#records) {
      if (record.stream !== stream || record.seq <= after) continue;
      const isFirst = records.length + damaged.length === 0;
      bytes += record.value.byteLength;
      if (!isFirst && (records.length + damaged.length >= maxRecords || bytes > maxBytes)) break;
      if (this.#damaged.has(record.seq)) damaged.push(record.seq);
      else records.push(record);
      upTo = record.seq;
    }
    return { records, damaged, upTo };
  }

  open(id: LaneId, from: 'oldest' | 'now'): Promise<Seq> {
    const known = this.#lanes.get(nameOf(id));
    if (known !== undefined) return Promise.resolve(known.cursor);
    const oldest = this.#records.find(({ stream }) => stream === id.stream)?.seq ?? this.#lastSeq + 1;
    const cursor = from === 'now' ? this.#lastSeq : oldest - 1;
    const acceptedCount = this.#count(id, cursor, this.#lastSeq);
    const none = { deliveredCount: 0, rejectedCount: 0, droppedCount: 0 };
    this.#lanes.set(nameOf(id), { id, cursor, claimedUpTo: 0, acceptedCount, ...none, rejected: [] });
    return Promise.resolve(cursor);
  }

  async wait(id: LaneId, after: Seq, signal: AbortSignal): Promise<void> {
    const turn = (this.#waitCounts.get(nameOf(id)) ?? 0) + 1;
    this.#waitCounts.set(nameOf(id), turn);
    for (const wake of this.#waiting) wake();
    const has = (): boolean => (this.#lastSeqs.get(id.stream) ?? 0) > after;
    while (!signal.aborted && !has() && this.#waitCounts.get(nameOf(id)) === turn) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const wake = (): void => resolve();
      this.#waiting.add(wake);
      signal.addEventListener('abort', wake);
      await promise;
      this.#waiting.delete(wake);
      signal.removeEventListener('abort', wake);
    }
  }

  claim(id: LaneId, upTo: Seq): Promise<Seq> {
    const lane = this.#lane(id);
    lane.claimedUpTo = Math.max(lane.claimedUpTo, upTo);
    return Promise.resolve(lane.cursor);
  }

  release(id: LaneId): Promise<void> {
    this.#lane(id).claimedUpTo = 0;
    return Promise.resolve();
  }

  async settle(settlement: Settlement): Promise<void> {
    await this.beforeSettle(settlement);
    const lane = this.#lane(settlement.lane);
    if (settlement.from !== lane.cursor) {
      throw new SluiceError(`the cursor is ${lane.cursor}, not ${settlement.from}`, { code: 'stale_settlement' });
    }
    lane.cursor = settlement.upTo;
    lane.deliveredCount += settlement.deliveredCount;
    lane.rejectedCount += settlement.rejected.length;
    lane.rejected.push(...settlement.rejected);
    this.settlements.push(settlement);
  }

  #lane(id: LaneId): FakeLane {
    const lane = this.#lanes.get(nameOf(id));
    if (lane === undefined) throw new SluiceError(`lane ${nameOf(id)} was not opened`, { code: 'unknown_lane' });
    return lane;
  }

  #count(id: LaneId, after: Seq, upTo: Seq): number {
    return this.#records.filter((record) => isOf(id, record) && record.seq > after && record.seq <= upTo).length;
  }
}

/** A gap counts only for the uplink that it concerns. */
function isOf({ uplink, stream }: LaneId, record: NewRecord): boolean {
  return record.stream === stream && (stream !== 'gaps' || record.channel === uplink);
}

function nameOf({ uplink, stream }: LaneId): string {
  return `${uplink}/${stream}`;
}
