import type { LaneId, LaneLog, LogReader } from '../core/lane-log.ts';
import type { Seq } from '../core/record.ts';
import type { BatchLimit } from './batch-limit.ts';

export interface SkipAheadParts {
  readonly id: LaneId;
  readonly reader: LogReader;
  readonly laneLog: LaneLog;
  readonly limit: BatchLimit;
  /** Told when something was skipped. */
  readonly onSkip: () => void;
}

/** How a lane passes its backlog when it begins, so that fresh records go first. */
export class SkipAhead {
  readonly #parts: SkipAheadParts;
  /** Since the process began. */
  #offeredUpTo: Seq | undefined;

  constructor(parts: SkipAheadParts) {
    this.#parts = parts;
  }

  /** The lane offers everything up to there to the upstream. */
  offered(upTo: Seq): void {
    this.#offeredUpTo = Math.max(this.#offeredUpTo ?? 0, upTo);
  }

  /**
   * What was offered before may be upstream, and is sent again by the lane: a reader tells a repeat by its seq within its
   * lane. Before the process began that was two batches at most.
   */
  mayBeHeldUpTo(cursor: Seq): Seq {
    const { id, reader, limit } = this.#parts;
    const batchEnd = (after: Seq): Seq => reader.read(id.stream, after, limit.whole).upTo;
    this.#offeredUpTo ??= batchEnd(batchEnd(cursor));
    return this.#offeredUpTo;
  }

  /** Resolves with the cursor behind what is skipped: a backlog of more than a batch. */
  async skip(cursor: Seq): Promise<Seq> {
    const { id, reader, laneLog, limit, onSkip } = this.#parts;
    if (!reader.read(id.stream, cursor, limit.whole).hasMore) return cursor;
    const skippedTo = await laneLog.skipAhead(id);
    onSkip();
    return skippedTo;
  }
}
