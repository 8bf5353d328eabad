import type { LaneId, LaneLog, LaneRange, LogReader } from '../core/lane-log.ts';
import type { Stream } from '../core/stream.ts';
import type { Upstream } from '../core/upstream.ts';
import type { Logger } from '../platform/logger.ts';
import { Backlog } from './backlog.ts';
import { Backoff } from './backoff.ts';
import { BatchLimit } from './batch-limit.ts';
import { awaitedLater, pause } from './bounded.ts';
import { watchIdleLink } from './idle-watch.ts';
import { Lane } from './lane.ts';
import { Link } from './link.ts';
import { Meter } from './meter.ts';
import type { BackoffOptions, BatchOptions, MeterOptions, OrderOptions } from './options.ts';
import { Pace } from './pace.ts';
import { RejectGuard } from './reject-guard.ts';
import { SkipAhead } from './skip-ahead.ts';
import type { StatusBoard } from './status-board.ts';

/** A pause lets what is in flight finish for so long. */
const PAUSE_DEADLINE_MS = 10_000;
/** Of the time to stop, the share in which what is in flight may finish. */
const FINISH_SHARE = 0.75;

export interface ForwarderOptions extends OrderOptions, MeterOptions {
  readonly name: string;
  readonly streams: readonly Stream[];
  readonly from: 'oldest' | 'now';
  readonly batch: BatchOptions;
  readonly backoff: BackoffOptions;
  readonly sendTimeoutMs: number;
  /** While nothing is delivered, the upstream is asked so often whether it is still there. */
  readonly idleProbeMs: number;
}

export interface ForwarderParts {
  readonly upstream: Upstream;
  readonly reader: LogReader;
  readonly laneLog: LaneLog;
  readonly board: StatusBoard;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
  /** Forwarding begins only when it resolves. */
  readonly gate: Promise<void>;
  /** In [0, 1); for tests. */
  readonly random?: () => number;
}

interface ActiveRun {
  readonly ending: AbortController;
  readonly aborted: AbortController;
  readonly done: Promise<void>;
}

/** One uplink at work: a lane per stream, all at once, and beside them what lanes skipped or is sent again; over one link. */
export class Forwarder {
  readonly #options: ForwarderOptions;
  readonly #parts: ForwarderParts;
  readonly #lanes: readonly Lane[];
  readonly #backlogs: ReadonlyMap<Stream, Backlog>;
  readonly #pace: Pace;
  /** Undefined: the link is not metered. */
  readonly #meter: Meter | undefined;
  #active: ActiveRun | undefined;
  /** Gives up what is in flight of a run that is being ended. */
  #pausing: AbortController | undefined;
  /** Of the last run, whether it was ended or not. */
  #done: Promise<void> = Promise.resolve();
  #isPaused = false;
  #isStarted = false;
  /** Start, pause, resume and stop wait for each other. */
  #last: Promise<void> = Promise.resolve();

  constructor(options: ForwarderOptions, parts: ForwarderParts) {
    this.#options = options;
    this.#parts = parts;
    const { name } = options;
    const { laneLog, logger, board } = parts;
    const onSent = (lane: LaneId, bytes: number): void => board.sent(lane, bytes);
    this.#pace = new Pace(options.backlogShare);
    this.#meter = isMetered(options) ? new Meter({ uplink: name, options, laneLog, onSent }) : undefined;
    const laneOf = (range: LaneRange): Lane => this.#lane(range.lane.stream, range);
    this.#backlogs = new Map(
      options.streams.map((stream) => [stream, new Backlog({ uplink: name, stream, laneLog, logger, laneOf })]),
    );
    this.#lanes = options.streams.map((stream) => this.#lane(stream));
  }

  /** Resolves when all lanes are made in the log; forwarding goes on in the background. */
  start(): Promise<void> {
    return this.#inTurn(async () => {
      for (const lane of this.#lanes) await lane.create();
      await this.#meter?.start();
      this.#isStarted = true;
      this.#parts.board.start();
      if (this.#isPaused) this.#parts.board.enter('paused');
      else this.#begin();
    });
  }

  /**
   * Finishes what is in flight, or gives it up, and closes the upstream, by the deadline. Before `start`: it starts
   * paused.
   */
  pause({ deadlineMs = PAUSE_DEADLINE_MS }: { readonly deadlineMs?: number } = {}): Promise<void> {
    return this.#inTurn(async () => {
      this.#isPaused = true;
      if (!this.#isStarted) return;
      await this.#end(deadlineMs);
      this.#parts.board.enter('paused');
    });
  }

  resume(): Promise<void> {
    return this.#inTurn(async () => {
      this.#isPaused = false;
      if (this.#isStarted && this.#active === undefined) this.#begin();
    });
  }

  /**
   * Finishes what is in flight, or releases it. Never rejects, and ends by the deadline: what a pause still waits for
   * is given up.
   */
  stop({ deadlineMs }: { readonly deadlineMs: number }): Promise<void> {
    this.#pausing?.abort();
    return this.#inTurn(async () => {
      this.#isStarted = false;
      await this.#end(deadlineMs);
      this.#parts.board.stop();
    });
  }

  /** There may be something to send again that was not there before. */
  lookForReplays(): void {
    for (const backlog of this.#backlogs.values()) backlog.look();
  }

  #inTurn(step: () => Promise<void>): Promise<void> {
    const result = this.#last.then(step);
    this.#last = result.catch(() => undefined);
    return result;
  }

  #begin(): void {
    const ending = new AbortController();
    const aborted = new AbortController();
    const before = this.#done;
    const done = awaitedLater(this.#run(before, ending.signal, aborted.signal));
    this.#active = { ending, aborted, done };
    this.#done = Promise.all([before, done]).then(() => undefined);
  }

  async #run(before: Promise<void>, ending: AbortSignal, aborted: AbortSignal): Promise<void> {
    const { board, upstream, gate } = this.#parts;
    board.enter('waiting_for_clock');
    // One that outlived its deadline may still hold claims, which are the lane's and not its own.
    await Promise.race([Promise.all([before, gate.catch(() => undefined)]), aborting(ending)]);
    if (ending.aborted) return;
    board.enter('connecting');
    const link = new Link({ upstream, board, ending, backoff: this.#backoff() });
    const watch = watchIdleLink({ upstream, link, board, ending, intervalMs: this.#options.idleProbeMs });
    const run = { link, ending, aborted };
    await Promise.all([watch, ...[...this.#lanes, ...this.#backlogs.values()].map((part) => part.run(run))]);
  }

  async #end(deadlineMs: number): Promise<void> {
    const active = this.#active;
    this.#active = undefined;
    if (active === undefined) return;
    const until = performance.now() + deadlineMs;
    active.ending.abort();
    this.#pausing = active.aborted;
    await Promise.race([active.done, pause(deadlineMs * FINISH_SHARE, active.aborted.signal)]);
    active.aborted.abort();
    const leftMs = Math.max(until - performance.now(), 0);
    await Promise.race([active.done, pause(leftMs / 2, new AbortController().signal)]);
    await this.#parts.upstream.close({ deadlineMs: Math.max(until - performance.now(), 0) });
  }

  #backoff(): Backoff {
    return new Backoff(this.#options.backoff, this.#parts.random);
  }

  /** Of a stream, or of a range of it. */
  #lane(stream: Stream, range?: LaneRange): Lane {
    const { name, from, batch, maxBytesPerSecond, sendTimeoutMs } = this.#options;
    const { upstream, reader, laneLog, board } = this.#parts;
    const id = range?.lane ?? { uplink: name, stream };
    const maxBytes = Math.min(batch.maxBytes, maxBytesPerSecond || batch.maxBytes);
    const limit = new BatchLimit({ ...batch, maxBytes });
    const onSkip = (): void => this.#backlogs.get(stream)?.look();
    const skips = range === undefined && this.#isLiveFirst(stream);
    return new Lane({
      id,
      range,
      pace: this.#pace,
      meter: this.#meter,
      skipAhead: skips ? new SkipAhead({ id, reader, laneLog, limit, onSkip }) : undefined,
      from,
      reader,
      laneLog,
      upstream,
      board,
      backoff: this.#backoff(),
      limit,
      guard: new RejectGuard(),
      maxWaitMs: batch.maxWait,
      sendTimeoutMs,
    });
  }

  #isLiveFirst(stream: Stream): boolean {
    const { order, eventsLiveFirst } = this.#options;
    return order === 'live_first' && (stream === 'telemetry' || (stream === 'events' && eventsLiveFirst));
  }
}

function isMetered({ maxBytesPerSecond, maxBytesPerDay }: MeterOptions): boolean {
  return maxBytesPerSecond > 0 || maxBytesPerDay > 0;
}

async function aborting(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  signal.addEventListener('abort', () => resolve(), { once: true });
  if (signal.aborted) resolve();
  await promise;
}
