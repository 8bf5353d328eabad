import type { GapReason } from '../../core/gap.ts';
import type { ReadLimit } from '../../core/lane-log.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { isIntact, isTimeTrusted, readRecord, receivedAtOf } from '../../core/record-codec.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import type { StoreClock } from '../store-clock.ts';
import type { GapReports, Loss } from './gap-reports.ts';
import type { KnownTimes } from './known-times.ts';
import type { Lane } from './lane.ts';
import type { Lanes } from './lanes.ts';
import type { Queues } from './queues.ts';
import type { Ranges } from './ranges.ts';
import type { Records, StoredBody } from './records.ts';

/** One chunk that concerns more devices than this is reported in one gap with `device: null`. */
const MAX_GAPS_PER_CHUNK = 16;
/** And so is every chunk of more than one device, once there were so many gaps in a minute. */
const MAX_GAPS_PER_MINUTE = 64;
const MINUTE_MS = 60_000;

interface ReclaimParts {
  readonly records: Records;
  readonly lanes: Lanes;
  readonly ranges: Ranges;
  readonly queues: Queues;
  readonly times: KnownTimes;
  readonly gaps: GapReports;
  readonly clock: StoreClock;
}

/**
 * Takes records away at the oldest end of one stream, one chunk a call. What every lane has done with goes first,
 * in the order of STREAMS; what a lane still had to deliver is its drop, counted and reported in `gaps`.
 * Belongs into the store's transaction.
 */
export class Reclaim {
  readonly #records: Records;
  readonly #lanes: Lanes;
  readonly #ranges: Ranges;
  readonly #queues: Queues;
  readonly #times: KnownTimes;
  readonly #gaps: GapReports;
  readonly #clock: StoreClock;
  #gapsSince = Number.NEGATIVE_INFINITY;
  #gapCount = 0;

  constructor(parts: ReclaimParts) {
    this.#records = parts.records;
    this.#lanes = parts.lanes;
    this.#ranges = parts.ranges;
    this.#queues = parts.queues;
    this.#times = parts.times;
    this.#gaps = parts.gaps;
    this.#clock = parts.clock;
  }

  /** Removes a chunk of records that no lane waits for; returns how many. */
  removeDelivered(limit: ReadLimit, olderThan = Number.POSITIVE_INFINITY): number {
    for (const stream of STREAMS) {
      const chunk = this.#chunk(stream, { upTo: this.#lanes.doneUpTo(stream), olderThan, limit });
      const last = chunk.at(-1);
      if (last === undefined) continue;
      const removed = this.#remove(stream, last.seq);
      this.#pass(stream, last.seq, chunk);
      return removed;
    }
    return 0;
  }

  /**
   * Drops a chunk of the oldest pending records; returns how many records went. Never touches a batch in flight: a
   * backlog behind one is waited for, because what comes after it in STREAMS is more precious.
   */
  dropPending(reason: GapReason, limit: ReadLimit, olderThan = Number.POSITIVE_INFINITY): number {
    for (const stream of STREAMS) {
      // A report that got lost would leave a loss that nobody is told of.
      if (stream === 'gaps' && olderThan !== Number.POSITIVE_INFINITY) continue;
      const free = Math.min(...this.#lanes.inFlight(stream).map(({ cursor }) => cursor));
      const chunk = this.#chunk(stream, { upTo: free, olderThan, limit });
      const last = stream === 'gaps' && chunk.length <= this.#fewGaps() ? undefined : chunk.at(-1);
      if (last === undefined) {
        if (olderThan === Number.POSITIVE_INFINITY && this.#isBacklogInFlight(stream)) return 0;
        continue;
      }
      const removed = this.#remove(stream, last.seq);
      // Behind the removal: a gap that is reported now must not fall under it, even when `gaps` itself is short.
      for (const lane of this.#lanes.ofStream(stream)) this.#dropFrom(lane, { chunk, upTo: last.seq, reason });
      this.#pass(stream, last.seq, chunk);
      return removed;
    }
    return 0;
  }

  /** The stream that `dropPending` must wait for before it may drop anything, or null. */
  awaited(): Stream | null {
    return STREAMS.find((stream) => this.#isBacklogInFlight(stream)) ?? null;
  }

  /** What the broker keeps outlives the record that it was. */
  #remove(stream: Stream, upTo: Seq): number {
    this.#queues.detach(stream, upTo);
    return this.#records.removeUpTo(stream, upTo);
  }

  /** Only once each lane has counted what was its own. */
  #pass(stream: Stream, upTo: Seq, chunk: readonly StoredBody[]): void {
    const { directed } = this.#records;
    this.#ranges.pass(stream, upTo, chunk, (uplink, seq) => directed.isFor(uplink, stream, seq));
    directed.removeUpTo(stream, upTo);
  }

  /** Dropping so many gaps would free nothing: each lane's are reported in a new one. */
  #fewGaps(): number {
    return 2 * this.#lanes.ofStream('gaps').length;
  }

  /** Whether every uplink with a batch in flight has more behind it. */
  #isBacklogInFlight(stream: Stream): boolean {
    const byUplink = Map.groupBy(this.#lanes.inFlight(stream), ({ uplink }) => uplink);
    const hasMore = [...byUplink.values()].map((feeds) => feeds.some(({ claimedUpTo, end }) => claimedUpTo < end));
    return hasMore.length > 0 && hasMore.every(Boolean);
  }

  #chunk(stream: Stream, what: { upTo: Seq; olderThan: number; limit: ReadLimit }): StoredBody[] {
    const range = { after: 0, upTo: Math.min(what.upTo, Number.MAX_SAFE_INTEGER) };
    const rows = this.#records.oldest(stream, range, what.limit);
    if (what.olderThan === Number.POSITIVE_INFINITY) return rows;
    return rows.slice(0, olderCount(rows, what.olderThan, this.#agesAt(this.#clock.now())));
  }

  #dropFrom(lane: Lane, drop: { chunk: readonly StoredBody[]; upTo: Seq; reason: GapReason }): void {
    const stretches = this.#lanes.pending.of(lane, drop.chunk);
    // A gap says from where to where: it must not span what was delivered.
    const losses = stretches.flatMap((stretch) =>
      this.#lossesOf(
        lane.stream,
        stretch.map((row) => this.#read(lane.stream, row)),
      ),
    );
    this.#lanes.drop(lane, drop.upTo, {
      reason: drop.reason,
      count: sum(losses.map(({ count }) => count)),
      bytes: sum(losses.map(({ bytes }) => bytes)),
      passedBytes: sum(stretches.flat().map(({ body }) => body.byteLength)),
    });
    for (const loss of losses) this.#gaps.report(lane, loss, drop.reason);
  }

  /** One loss per device; one for all when there are many devices or were many gaps, or when they were reports of losses. */
  #lossesOf(stream: Stream, records: readonly StoredRecord[]): Loss[] {
    if (records.length === 0) return [];
    const byDevice = Map.groupBy(records, ({ device }) => device);
    const isSummary = stream === 'gaps' || (byDevice.size > 1 && !this.#mayName(byDevice.size));
    if (isSummary) return [lossOf(null, records)];
    this.#gapCount += byDevice.size;
    return [...byDevice].map(([device, theirs]) => lossOf(device === '' ? null : device, theirs));
  }

  #mayName(deviceCount: number): boolean {
    const elapsed = this.#clock.elapsed();
    if (elapsed - this.#gapsSince >= MINUTE_MS) {
      this.#gapsSince = elapsed;
      this.#gapCount = 0;
    }
    return deviceCount <= MAX_GAPS_PER_CHUNK && this.#gapCount + deviceCount <= MAX_GAPS_PER_MINUTE;
  }

  /** When a record was accepted at the latest: its own time, unless that was not synchronised or is still to come. */
  #agesAt(now: number): (row: StoredBody) => number {
    const boundOf = this.#times.bounds();
    return ({ seq, body }) => {
      const receivedAt = isTimeTrusted(body) ? receivedAtOf(body) : Number.POSITIVE_INFINITY;
      return receivedAt <= now ? receivedAt : boundOf(seq);
    };
  }

  /** What a damaged record says of itself cannot be used: not its device, and a time that is no time least of all. */
  #read(stream: Stream, { seq, body }: StoredBody): StoredRecord {
    if (isIntact(body, seq)) return this.#records.corrections.apply(readRecord(stream, seq, body));
    return {
      seq,
      stream,
      device: '',
      receivedAt: this.#clock.now(),
      observedAt: null,
      timeQuality: 'unsynced',
      contentType: 'application/octet-stream',
      eventType: null,
      channel: '',
      value: body,
    };
  }
}

/**
 * How many of the rows, from the oldest end, are older. One of which that is not sure is older than any that came after
 * it. A damaged record goes with what is before it: it must not keep for ever what stands behind it.
 */
function olderCount(rows: readonly StoredBody[], than: number, acceptedAt: (row: StoredBody) => number): number {
  let count = 0;
  for (const [index, row] of rows.entries()) {
    if (!isIntact(row.body, row.seq)) {
      count = count === index ? index + 1 : count;
      continue;
    }
    const at = acceptedAt(row);
    if (at < than) count = index + 1;
    else if (at === receivedAtOf(row.body)) break;
  }
  return count;
}

function lossOf(device: string | null, records: readonly StoredRecord[]): Loss {
  const seqs = records.map(({ seq }) => seq);
  const times = records.map(({ receivedAt }) => receivedAt);
  return {
    device,
    firstSeq: Math.min(...seqs),
    lastSeq: Math.max(...seqs),
    count: records.length,
    bytes: sum(records.map(({ value }) => value.byteLength)),
    firstTime: Math.min(...times),
    lastTime: Math.max(...times),
  };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
