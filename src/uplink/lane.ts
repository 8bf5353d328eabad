import { setImmediate as nextTurn } from 'node:timers/promises';
import { codeOf } from '../core/errors.ts';
import type { LaneId, LaneLog, LaneRange, LogReader } from '../core/lane-log.ts';
import type { Seq, StoredRecord } from '../core/record.ts';
import type { Outcome, Upstream } from '../core/upstream.ts';
import type { Backoff } from './backoff.ts';
import type { BatchLimit } from './batch-limit.ts';
import { awaitedLater, pause, TIMED_OUT } from './bounded.ts';
import { deliveredCount, type LaneBatch, laneBatch, restOf, settlementOf, withinRange } from './lane-batch.ts';
import { asSluiceError, type Link } from './link.ts';
import { BUDGET_SPENT, type Meter } from './meter.ts';
import type { Pace } from './pace.ts';
import type { RejectGuard } from './reject-guard.ts';
import type { SkipAhead } from './skip-ahead.ts';
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
  readonly pace: Pace;
  /** Undefined: as much as the link can carry. */
  readonly meter: Meter | undefined;
  /** Undefined: strict order. */
  readonly skipAhead?: SkipAhead | undefined;
  /** What is fed instead of the lane itself, to its end. */
  readonly range?: LaneRange | undefined;
}

/** One stretch of forwarding, from start or resume to pause or stop. */
export interface Run {
  readonly link: Link;
  /** Nothing new is begun once it is aborted; what is in flight may finish. */
  readonly ending: AbortSignal;
  /** What is in flight is given up. */
  readonly aborted: AbortSignal;
}

/** What is forwarded in one go. `heldUpTo`: what the upstream is known to hold. */
interface Stretch {
  readonly cursor: Seq;
  readonly heldUpTo: Seq;
  readonly endAt?: Seq;
}

/**
 * Feeds one stream, or one range of it, to the upstream, in strict order: one batch in flight, and at most one more that
 * is delivered and whose settlement is on its way to the disk. Whatever fails is tried again from the log's cursor, for
 * ever.
 */
export class Lane {
  readonly #parts: LaneParts;
  /** Of the last batch, on its way. */
  #tookMs = 0;

  constructor(parts: LaneParts) {
    this.#parts = parts;
  }

  /** Makes the lane in the log, so that counting begins, whether the upstream can be reached or not. */
  async create(): Promise<void> {
    await this.#parts.laneLog.open(this.#parts.id, this.#parts.from);
  }

  /** Resolves when the run ends or the range is done, with nothing left in flight. Never rejects. */
  async run(run: Run): Promise<void> {
    let isDone = false;
    while (!run.ending.aborted && !isDone) {
      try {
        isDone = await this.#feed(run);
      } catch (cause) {
        // Cancelled, or taken by a limit.
        isDone = codeOf(cause) === 'range_gone';
        if (!run.ending.aborted && !isDone) await this.#backOff(cause, run);
      }
    }
    if (isDone) this.#finish();
  }

  /** Ended to go on later. What failed last is no fault meanwhile. */
  waitForTurn(): void {
    this.#parts.board.laneWorks(this.#parts.id);
  }

  async #backOff(cause: unknown, run: Run): Promise<void> {
    const { backoff, board, id, limit, meter } = this.#parts;
    const error = asSluiceError(cause);
    if (error.code === BUDGET_SPENT && meter !== undefined) {
      board.laneWaits(id, error, meter.nextDayAt);
      await meter.nextDay(run.ending);
      board.laneWorks(id);
      return;
    }
    if (error.code === TIMED_OUT) limit.shrink();
    const delayMs = error.retryable ? backoff.next() : backoff.longest();
    board.laneFailed(id, error, delayMs);
    await pause(delayMs, run.ending);
  }

  #finish(): void {
    const { id, board, upstream } = this.#parts;
    board.laneWorks(id);
    upstream.finish(id);
  }

  /** Returns when the run ends or is to begin anew, and true when the range is done; throws when anything fails. */
  async #feed(run: Run): Promise<boolean> {
    const { laneLog, id, from, upstream, skipAhead } = this.#parts;
    if (!(await run.link.ready())) return false;
    const heldUpTo = (await upstream.position?.(id)) ?? 0;
    const cursor = await laneLog.open(id, from);
    if (skipAhead === undefined) return await this.#forward(run, { cursor, heldUpTo });
    const endAt = upstream.position === undefined ? skipAhead.mayBeHeldUpTo(cursor) : heldUpTo;
    if (endAt > cursor) return await this.#forward(run, { cursor, heldUpTo, endAt });
    return await this.#forward(run, { cursor: await skipAhead.skip(cursor), heldUpTo });
  }

  /** As `#feed`. Ends once everything up to `endAt` is settled. */
  async #forward(run: Run, { cursor, heldUpTo, endAt = Number.POSITIVE_INFINITY }: Stretch): Promise<boolean> {
    let settled = Promise.resolve();
    let ahead: Promise<LaneBatch> | undefined;
    try {
      let batch = await this.#take(cursor);
      while (!run.ending.aborted && batch.from < endAt) {
        if (batch.upTo === batch.from) {
          await settled;
          if (this.#parts.range !== undefined) return await this.#endRange(this.#parts.range, batch.from);
          batch = await this.#awaitMore(batch.upTo, run);
          continue;
        }
        const sending = this.#send(batch, heldUpTo, run);
        if (batch.hasMore && this.#mayTakeAhead()) ahead ??= awaitedLater(this.#takeAhead(batch.upTo));
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
      return false;
    } finally {
      await Promise.allSettled([settled]);
      await this.#release();
      // The claim ahead may have waited for just that; what it took is released as well.
      await Promise.allSettled([ahead]);
      if (ahead !== undefined) await this.#release();
    }
  }

  /** Behind the last record there may be seqs of other streams. */
  async #endRange({ lane, upTo }: LaneRange, from: Seq): Promise<boolean> {
    if (from < upTo) await this.#parts.laneLog.settle({ lane, from, upTo, deliveredCount: 0, rejected: [] });
    return true;
  }

  /** What rests must not hold up limits with what it has in flight. */
  #mayTakeAhead(): boolean {
    return this.#parts.range === undefined || !this.#parts.pace.isShared;
  }

  /** When the store is gone, nothing is in flight any more. */
  async #release(): Promise<void> {
    await this.#parts.laneLog.release(this.#parts.id).catch(() => undefined);
  }

  /** The next batch behind `after`, in flight; one with nothing in it when there is none. */
  async #take(after: Seq): Promise<LaneBatch> {
    const { id, reader, laneLog, limit, range } = this.#parts;
    const whole = reader.read(id.stream, after, limit.limit);
    const read = range === undefined ? whole : withinRange(whole, range);
    const cursor = read.upTo > after ? await laneLog.claim(id, read.upTo) : after;
    // While an earlier batch is unsettled the cursor is still behind; when a limit dropped records, it is ahead.
    return laneBatch(id, Math.max(after, cursor), read);
  }

  /** Reads once the batch before it is on the wire: the thread is free until the answer comes. */
  async #takeAhead(after: Seq): Promise<LaneBatch> {
    await nextTurn();
    return this.#take(after);
  }

  async #takeLater(after: Seq, run: Run): Promise<LaneBatch> {
    const { maxWaitMs, pace, range } = this.#parts;
    if (range !== undefined) await pace.rest(this.#tookMs, run.ending);
    else if (maxWaitMs > 0) await pause(maxWaitMs, run.ending);
    return this.#take(after);
  }

  async #awaitMore(after: Seq, run: Run): Promise<LaneBatch> {
    const { backoff, board, from, id, laneLog } = this.#parts;
    backoff.reset();
    board.laneWorks(id);
    await laneLog.wait(id, after, run.ending);
    const batch = await this.#takeLater(after, run);
    if (batch.upTo > after || run.ending.aborted) return batch;
    // A limit took what the lane was woken for, and its cursor went on.
    return this.#take(await laneLog.open(id, from));
  }

  /** What the upstream holds already is delivered: it was confirmed, but the settlement did not get to the disk. */
  async #send(batch: LaneBatch, heldUpTo: Seq, run: Run): Promise<Outcome> {
    const { id, upstream, guard, sendTimeoutMs, meter, range, pace, skipAhead } = this.#parts;
    this.#tookMs = 0;
    const after = Math.max(batch.from, heldUpTo);
    const records = after > batch.from ? batch.records.filter(({ seq }) => seq > after) : batch.records;
    if (records.length === 0) return { upTo: batch.upTo, rejected: [], error: null };
    if (range === undefined) pace.live();
    skipAhead?.offered(batch.upTo);
    const startedAt = performance.now();
    const count = await meter?.enter(id, this.#bytesOfEach(records), run.ending);
    const sent = records.slice(0, count);
    const outcome = await upstream.send(id, after, sent, { deadlineMs: sendTimeoutMs, signal: run.aborted });
    this.#tookMs = performance.now() - startedAt;
    return guard.judge(sent, outcome);
  }

  *#bytesOfEach(records: readonly StoredRecord[]): Generator<number> {
    const { id, upstream } = this.#parts;
    for (const record of records) yield upstream.bytesOf(id, record);
  }

  async #settle(batch: LaneBatch, outcome: Outcome): Promise<void> {
    const { id, laneLog, board, backoff, limit, meter, pace } = this.#parts;
    board.delivered(id, deliveredCount(batch, outcome));
    if (outcome.error === null) {
      backoff.reset();
      if (id.range !== undefined && pace.isTooLong(this.#tookMs)) limit.shrink();
      else limit.grow();
      board.laneWorks(id);
    }
    const settlement = settlementOf(id, batch, outcome);
    if (settlement === undefined) return;
    const sent = meter?.take();
    try {
      await laneLog.settle(sent === undefined ? settlement : { ...settlement, sent });
    } catch (error) {
      meter?.giveBack(sent);
      throw error;
    }
  }
}
