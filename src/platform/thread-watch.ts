import inspector from 'node:inspector';
import { Beats, THREADS, type ThreadName } from './beats.ts';
import { createLogger, type Logger, type LoggerOptions } from './logger.ts';

/** In seconds. */
export interface WatchLimits {
  /** A thread that is silent for so long is stuck. */
  readonly stuckAfterS: number;
  /** The process ends when a thread is silent for so long; null where a service manager sees to that. */
  readonly endAfterS: number | null;
}

/** What a worker needs to take part. */
export interface WatchData {
  readonly memory: SharedArrayBuffer;
  readonly limits: WatchLimits;
  readonly log: LoggerOptions;
}

export interface ThreadWatchOptions {
  readonly self: ThreadName;
  readonly limits: WatchLimits;
  readonly logger: Logger;
  /** Default: new ones, for the main thread. */
  readonly beats?: Beats;
  /** Ends the process, whatever its threads do. */
  readonly end?: () => void;
}

const TURN_MS = 1_000;
const MS_PER_S = 1_000;
const STUCK_AFTER_S = 10;
/** As long as the service manager waits, with the unit that comes along. */
const END_AFTER_S = 60;
/** The one that ends the process writes a line first, and may be held up by who reads it. */
const LAST_WORD_S = 5;

/** `watchdogMs`: the time-out of the service manager that watches this process; undefined when none does. */
export function watchLimits(watchdogMs: number | undefined): WatchLimits {
  if (watchdogMs === undefined) return { stuckAfterS: STUCK_AFTER_S, endAfterS: END_AFTER_S };
  const half = Math.floor(watchdogMs / MS_PER_S / 2);
  return { stuckAfterS: Math.max(1, Math.min(STUCK_AFTER_S, half)), endAfterS: null };
}

/**
 * Each thread has one. Once a second it says that its loop turns, and looks whether those of the others did. What it
 * counts are looks of its own at which another one was silent, not time: a watcher that was held up itself, by a busy or
 * suspended machine or a signal, has not looked, and proves nothing. Timers go by monotonic time.
 */
export class ThreadWatch {
  readonly limits: WatchLimits;
  readonly beats: Beats;
  readonly #self: ThreadName;
  readonly #logger: Logger;
  readonly #end: () => void;
  readonly #seen = new Map<ThreadName, { count: number; silentS: number }>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ self, limits, logger, beats = new Beats(), end = endProcess }: ThreadWatchOptions) {
    this.#self = self;
    this.limits = limits;
    this.#logger = logger;
    this.beats = beats;
    this.#end = end;
  }

  start(): void {
    this.#timer = setInterval(() => this.#turn(), TURN_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  isAnyStuck(): boolean {
    return THREADS.some((thread) => this.whyStuck(thread) !== null);
  }

  /** In plain words, with what happens next; null when its loop turns, or it does not run. */
  whyStuck(thread: ThreadName): string | null {
    const silentS = this.#seen.get(thread)?.silentS ?? 0;
    return silentS < this.limits.stuckAfterS ? null : `${thread} has not answered for ${silentS} s; ${this.#outlook()}`;
  }

  #turn(): void {
    this.beats.beat(this.#self);
    if (this.#self === 'main') this.beats.hold(inspector.url() !== undefined);
    if (!this.beats.isArmed()) return;
    for (const thread of THREADS) if (thread !== this.#self) this.#look(thread);
  }

  #look(thread: ThreadName): void {
    const count = this.beats.count(thread);
    const before = this.#seen.get(thread);
    if (count === 0 || before?.count !== count) {
      this.#seen.set(thread, { count, silentS: 0 });
      if (count !== 0) this.#tellBack(thread, before?.silentS ?? 0);
      return;
    }
    before.silentS += 1;
    this.#tellStuck(thread, before.silentS);
    this.#endWhenDue(thread, before.silentS);
  }

  #tellStuck(thread: ThreadName, silentS: number): void {
    if (silentS !== this.limits.stuckAfterS || !this.beats.claimWord(thread, true)) return;
    this.#logger.error({ thread, silentS, hint: this.#outlook() }, 'a thread does not answer');
  }

  #tellBack(thread: ThreadName, silentS: number): void {
    if (silentS < this.limits.stuckAfterS || !this.beats.claimWord(thread, false)) return;
    this.#logger.warn({ thread, silentS }, 'a thread answers again');
  }

  #endWhenDue(thread: ThreadName, silentS: number): void {
    const { endAfterS } = this.limits;
    if (endAfterS === null || silentS < endAfterS || this.beats.isHeld()) return;
    if (this.beats.claimEnd()) {
      const hint = 'what was acknowledged is on disk; the next start goes on from there';
      this.#logger.error({ thread, silentS, hint }, 'a thread does not answer: the process ends');
      this.#end();
    } else if (silentS >= endAfterS + LAST_WORD_S) this.#end();
  }

  #outlook(): string {
    const { endAfterS } = this.limits;
    if (endAfterS === null) return 'the watchdog is not fed meanwhile, and the service manager ends the process';
    return `after ${endAfterS} s the process ends, for whatever started it to start it again`;
  }
}

/** In a worker: takes part in the watch of the main thread. */
export function joinWatch(self: ThreadName, { memory, limits, log }: WatchData): void {
  new ThreadWatch({ self, limits, logger: createLogger(log), beats: new Beats(memory) }).start();
}

/** An exit in order would wait for the thread that does not answer, and a worker cannot make one. */
function endProcess(): void {
  process.kill(process.pid, 'SIGABRT');
}
