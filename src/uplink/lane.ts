import { setImmediate as nextTurn } from 'node:timers/promises';
import type { LaneId, LaneLog, LogReader, Outcome, Upstream } from '../core/ports.ts';
import type { Seq } from '../core/record.ts';
import type { Backoff } from './backoff.ts';
import type { BatchLimit } from './batch-limit.ts';
import { awaitedLater, pause, TIMED_OUT } from './bounded.ts';
import { deliveredCount, isFull, type LaneBatch, laneBatch, restOf, settlementOf } from './lane-batch.ts';
import { asSluiceError, type Link } from './link.ts';
import type { RejectGuard } from './reject-guard.ts';
import type { StatusBoard } from './status-board.ts';

export interface LaneParts {
  readonly id: LaneId;
  readonly from: 'oldest' | 'now';
  readonly reader: LogReader;
  readonly laneLog: LaneLog;
  readonly upstream: Upstream;
  readonly board: StatusBoard;
  readonly backoff: Backoff;
  readonly limit: BatchLimit;
  readonly guard: RejectGuard;
  readonly maxWaitMs: number;
  readonly sendTimeoutMs: number;
}

/** One stretch of forwarding, from start or resume to pause or stop. */
export interface Run {
  readonly link: Link;
  /** Nothing new is begun once it is aborted; what is in flight may finish. */
  readonly ending: AbortSignal;
  /** What is in flight is given up. */
  readonly aborted: AbortSignal;
}

/**
 * Feeds one stream to the upstream, in strict order: one batch in flight, and at most one more that is delivered and
 * whose settlement is on its way to the disk. Whatever fails is tried again from the log's cursor, for ever.
 */
export class Lane {
  readonly #parts: LaneParts;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** Makes the lane in the log, so that counting begins, whether the upstream can be reached or not. */
  async create(): Promise<void> {
    await this.#parts.laneLog.open(this.#parts.id, this.#parts.from);
  }

  /** Resolves when the run ends, with nothing left in flight. Never rejects. */
  async run(run: Run): Promise<void> {
    while (!run.ending.aborted) {
      try {
        await this.#feed(run);
      } catch (cause) {
        if (!run.ending.aborted) await this.#backOff(cause, run);
      }
    }
  }

  async #backOff(cause: unknown, run: Run): Promise<void> {
    const { backoff, board, id, limit } = this.#parts;
    const error = asSluiceError(cause);
    if (error.code === TIMED_OUT) limit.shrink();
    const delayMs = error.retryable ? backoff.next() : backoff.longest();
    board.laneFailed(id.stream, error, delayMs);
    await pause(delayMs, run.ending);
  }

  /** Returns when the run ends, throws when anything fails. */
  async #feed(run: Run): Promise<void> {
    const { laneLog, id, from, upstream } = this.#parts;
    if (!(await run.link.ready())) return;
    const heldUpTo = (await upstream.position?.(id)) ?? 0;
    const cursor = await laneLog.open(id, from);
    await this.#forward(run, cursor, heldUpTo);
  }

  async #forward(run: Run, cursor: Seq, heldUpTo: Seq): Promise<void> {
    let settled = Promise.resolve();
    let ahead: Promise<LaneBatch> | undefined;
    try {
      let batch = await this.#take(cursor);
      while (!run.ending.aborted) {
        if (batch.upTo === batch.from) {
          await settled;
          batch = await this.#awaitMore(batch.upTo, run);
          continue;
        }
        const sending = this.#send(batch, heldUpTo, run);
        if (batch.isFull) ahead ??= awaitedLater(this.#takeAhead(batch.upTo));
        const outcome = await sending;
        await settled;
        settled = awaitedLater(this.#settle(batch, outcome));
        if (outcome.error !== null) throw outcome.error;
        const rest = restOf(batch, outcome);
        if (rest !== undefined) {
          await settled;
          batch = rest;
          continue;
        }
        const following = awaitedLater(ahead ?? this.#takeLater(batch.upTo, run));
        // A claim may wait for this settlement, and would wait for ever for one that failed.
        batch = await Promise.race([following, settled.then(() => following)]);
        ahead = undefined;
      }
    } finally {
      await Promise.allSettled([settled]);
      await this.#release();
      // The claim ahead may have waited for just that; what it took is released as well.
      await Promise.allSettled([ahead]);
      if (ahead !== undefined) await this.#release();
    }
  }

  /** When the store is gone, nothing is in flight any more. */
  async #release(): Promise<void> {
    await this.#parts.laneLog.release(this.#parts.id).catch(() => undefined);
  }

  /** The next batch behind `after`, in flight; one with nothing in it when there is none. */
  async #take(after: Seq): Promise<LaneBatch> {
    const { id, reader, laneLog, limit } = this.#parts;
    const readLimit = limit.limit;
    const read = reader.read(id.stream, after, readLimit);
    const cursor = read.upTo > after ? await laneLog.claim(id, read.upTo) : after;
    // While an earlier batch is unsettled the cursor is still behind; when a limit dropped records, it is ahead.
    return { ...laneBatch(id, Math.max(after, cursor), read), isFull: isFull(read, readLimit) };
  }

  /** Reads once the batch before it is on the wire: the thread is free until the answer comes. */
  async #takeAhead(after: Seq): Promise<LaneBatch> {
    await nextTurn();
    return this.#take(after);
  }

  async #takeLater(after: Seq, run: Run): Promise<LaneBatch> {
    if (this.#parts.maxWaitMs > 0) await pause(this.#parts.maxWaitMs, run.ending);
    return this.#take(after);
  }

  async #awaitMore(after: Seq, run: Run): Promise<LaneBatch> {
    const { backoff, board, from, id, laneLog } = this.#parts;
    backoff.reset();
    board.laneWorks(id.stream);
    await laneLog.wait(id, after, run.ending);
    const batch = await this.#takeLater(after, run);
    if (batch.upTo > after || run.ending.aborted) return batch;
    // A limit took what the lane was woken for, and its cursor went on.
    return this.#take(await laneLog.open(id, from));
  }

  /** What the upstream holds already is delivered: it was confirmed, but the settlement did not get to the disk. */
  async #send(batch: LaneBatch, heldUpTo: Seq, run: Run): Promise<Outcome> {
    const { id, upstream, guard, sendTimeoutMs } = this.#parts;
    const after = Math.max(batch.from, heldUpTo);
    const records = after > batch.from ? batch.records.filter(({ seq }) => seq > after) : batch.records;
    if (records.length === 0) return { upTo: batch.upTo, rejected: [], error: null };
    const outcome = await upstream.send(id, after, records, { deadlineMs: sendTimeoutMs, signal: run.aborted });
    return guard.judge(records, outcome);
  }

  async #settle(batch: LaneBatch, outcome: Outcome): Promise<void> {
    const { id, laneLog, board, backoff, limit } = this.#parts;
    board.delivered(deliveredCount(batch, outcome));
    if (outcome.error === null) {
      backoff.reset();
      limit.grow();
      board.laneWorks(id.stream);
    }
    const settlement = settlementOf(id, batch, outcome);
    if (settlement !== undefined) await laneLog.settle(settlement);
  }
}
