import type { Batch, LaneId, LaneRange, Rejection, Settlement } from '../core/lane-log.ts';
import { type Seq, type StoredRecord, soleUplink } from '../core/record.ts';
import type { Outcome } from '../core/upstream.ts';

/** What a lane takes in flight at once: everything in (from, upTo]. */
export interface LaneBatch {
  readonly from: Seq;
  /** `from` when there was nothing. */
  readonly upTo: Seq;
  /** To be sent. */
  readonly records: readonly StoredRecord[];
  /** Cannot be read; rejected when they are settled. */
  readonly damaged: readonly Seq[];
  /** There was more behind it. */
  readonly hasMore: boolean;
}

/** The part of a read batch behind `from` that is this lane's to send: some records are for one uplink alone. */
export function laneBatch(lane: LaneId, from: Seq, read: Batch): LaneBatch {
  const isMine = (record: StoredRecord): boolean =>
    record.seq > from && (soleUplink(record) ?? lane.uplink) === lane.uplink;
  const isAllMine = read.records.every(isMine);
  return {
    from,
    upTo: Math.max(from, read.upTo),
    records: isAllMine ? read.records : read.records.filter(isMine),
    damaged: read.damaged.filter((seq) => seq > from),
    hasMore: read.hasMore,
  };
}

/** The part of a read batch that is in the range and fits its filter; what a damaged record says of itself fits none. */
export function withinRange(
  { records, upTo: readUpTo, damaged, hasMore }: Batch,
  { upTo, filter }: Omit<LaneRange, 'lane'>,
): Batch {
  const { device, from, to } = filter;
  const isFiltered = device !== null || from !== null || to !== null;
  const fits = (record: StoredRecord): boolean =>
    (device === null || record.device === device) &&
    (from === null || record.receivedAt >= from) &&
    (to === null || record.receivedAt < to);
  return {
    records: records.filter((record) => record.seq <= upTo && (!isFiltered || fits(record))),
    upTo: Math.min(readUpTo, upTo),
    damaged: isFiltered ? [] : damaged.filter((seq) => seq <= upTo),
    hasMore: hasMore && readUpTo < upTo,
  };
}

/** What is still to be sent when the outcome ended before the end of the batch; undefined when it did not. */
export function restOf(batch: LaneBatch, { upTo }: Outcome): LaneBatch | undefined {
  if (isWhole(batch, upTo)) return undefined;
  const records = batch.records.filter(({ seq }) => seq > upTo);
  return { ...batch, from: upTo, records, damaged: batch.damaged.filter((seq) => seq > upTo) };
}

/** How far the outcome of sending the batch moves the lane; undefined when nowhere. */
export function settlementOf(lane: LaneId, batch: LaneBatch, outcome: Outcome): Settlement | undefined {
  const upTo = isWhole(batch, outcome.upTo) ? batch.upTo : outcome.upTo;
  if (upTo <= batch.from) return undefined;
  const damaged = batch.damaged.filter((seq) => seq <= upTo).map(damagedRejection);
  return {
    lane,
    from: batch.from,
    upTo,
    deliveredCount: deliveredCount(batch, outcome),
    rejected: [...damaged, ...outcome.rejected].sort((a, b) => a.seq - b.seq),
  };
}

/** Records of the batch that the upstream confirmed. */
export function deliveredCount({ records }: LaneBatch, { upTo, rejected }: Outcome): number {
  const unsettledAt = records.findIndex(({ seq }) => seq > upTo);
  return (unsettledAt < 0 ? records.length : unsettledAt) - rejected.length;
}

function isWhole({ records, from }: LaneBatch, upTo: Seq): boolean {
  return upTo >= (records.at(-1)?.seq ?? from);
}

function damagedRejection(seq: Seq): Rejection {
  return { seq, reason: 'record_damaged', detail: 'the checksum of the stored record does not hold' };
}
