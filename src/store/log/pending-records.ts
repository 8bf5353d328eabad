import type { Lane } from './lane.ts';
import type { LaneRow } from './lane-rows.ts';
import type { Range, Ranges } from './ranges.ts';
import type { Records, StoredBody } from './records.ts';

/** What lanes have still to deliver: by their counts, and by what is there. */
export class PendingRecords {
  readonly #records: Records;
  readonly #ranges: Ranges;

  constructor(records: Records, ranges: Ranges) {
    this.#records = records;
    this.#ranges = ranges;
  }

  acceptedCount({ stream, base }: LaneRow): number {
    return this.#records.count(stream).acceptedCount - base;
  }

  /** By its counts. Negative when they are off. */
  count(lane: LaneRow): number {
    return this.acceptedCount(lane) - lane.delivered - lane.rejected - lane.dropped;
  }

  /** Pending by the counts, less what is there: what was lost. Negative when more is there than was counted. */
  missingCount(lane: Lane): number {
    const { uplink, stream } = lane;
    const found = this.#rangesOf(lane).map(({ cursor, upTo }) =>
      this.#records.countFor(uplink, stream, { after: cursor, upTo }),
    );
    return this.count(lane) - found.reduce((sum, count) => sum + count, 0);
  }

  /** Of these records those that the lane still has to deliver, in stretches: between two it has done with some. */
  of(lane: Lane, rows: readonly StoredBody[]): StoredBody[][] {
    const mine = rows.filter(({ seq }) => this.#records.directed.isFor(lane.uplink, lane.stream, seq));
    return this.#rangesOf(lane)
      .map(({ cursor, upTo }) => mine.filter(({ seq }) => seq > cursor && seq <= upTo))
      .filter(({ length }) => length > 0);
  }

  /** When the oldest was received, by the clock of then; null when there is none. */
  oldestAt(lane: Lane): number | null {
    for (const { cursor, upTo } of this.#rangesOf(lane)) {
      const at = this.#records.oldestReceivedAt(lane.stream, cursor, upTo);
      if (at !== null) return at;
    }
    return null;
  }

  /** Its backfills, and what it has not come to yet. */
  #rangesOf(lane: Lane): Pick<Range, 'cursor' | 'upTo'>[] {
    return [...this.#ranges.backfillsOf(lane), { cursor: lane.cursor, upTo: Number.MAX_SAFE_INTEGER }];
  }
}
