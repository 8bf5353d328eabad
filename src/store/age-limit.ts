import type { ReadLimit } from '../core/lane-log.ts';
import type { Log } from './log/log.ts';
import type { StoreClock } from './store-clock.ts';

export interface AgeLimitOptions {
  readonly maxAgeMs: number;
  /** Taken in one transaction. */
  readonly chunk: ReadLimit;
}

const MIN_CHECK_MS = 60_000;
/** Looked at so often within `maxAge`: what is lost for its age is reported in few gaps, not in one for each record. */
const CHECKS = 100;
/** The clock was set when it and time that passed differ by more than that. */
const JUMP_MS = 60_000;
/** Time for a wrong clock to be put right, and after a long time without power for what waits to be delivered. */
const SETTLE_MS = 3_600_000;

/**
 * Removes what is older than `maxAge`, delivered or not. Age is counted in UTC from acceptance, with the time without
 * power in it; only by a clock that is synchronised, and that has gone on steadily for an hour (or `maxAge`, if that is
 * less) since the start and since it was set last.
 */
export class AgeLimit {
  readonly #log: Log;
  readonly #options: AgeLimitOptions;
  readonly #clock: StoreClock;
  readonly #settleMs: number;
  readonly #checkMs: number;
  #steadySince: number | undefined;
  /** The clock's time at the moment from which `elapsed` counts. */
  #origin = 0;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(log: Log, options: AgeLimitOptions, clock: StoreClock) {
    this.#log = log;
    this.#options = options;
    this.#clock = clock;
    this.#settleMs = Math.min(SETTLE_MS, options.maxAgeMs);
    this.#checkMs = Math.max(MIN_CHECK_MS, options.maxAgeMs / CHECKS);
  }

  /** One chunk at most. Returns true when it should be called again soon. */
  step(): boolean {
    if (!this.#isSteady() || this.#clock.elapsed() < this.#dueAt) return false;
    const olderThan = this.#clock.now() - this.#options.maxAgeMs;
    let removed = 0;
    this.#log.transaction(() => {
      removed =
        this.#log.reclaim.removeDelivered(this.#options.chunk, olderThan) ||
        this.#log.reclaim.dropPending('max_age', this.#options.chunk, olderThan);
    });
    if (removed === 0) this.#dueAt = this.#clock.elapsed() + this.#checkMs;
    return removed > 0;
  }

  #isSteady(): boolean {
    if (this.#clock.quality() !== 'synced') {
      this.#steadySince = undefined;
      return false;
    }
    const elapsed = this.#clock.elapsed();
    const origin = this.#clock.now() - elapsed;
    if (this.#steadySince === undefined || Math.abs(origin - this.#origin) > JUMP_MS) {
      this.#log.noteTime();
      this.#steadySince = elapsed;
    }
    this.#origin = origin;
    return elapsed - this.#steadySince >= this.#settleMs;
  }
}
