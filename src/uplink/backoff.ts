import type { BackoffOptions } from './options.ts';

/** Pauses between attempts: full jitter, so that a fleet does not come back in step. Never gives up. */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #random: () => number;
  #failureCount = 0;

  /** `random` in [0, 1). */
  constructor({ initial, max }: BackoffOptions, random: () => number = Math.random) {
    this.#initialMs = initial;
    this.#maxMs = max;
    this.#random = random;
  }

  /** Milliseconds until the next attempt: up to `initial`, doubled with each failure in a row, up to `max`. */
  next(): number {
    // 2 ** 40 is beyond any pause, and the product stays a safe number.
    const ceilingMs = Math.min(this.#maxMs, this.#initialMs * 2 ** Math.min(this.#failureCount, 40));
    this.#failureCount += 1;
    return Math.round(this.#random() * ceilingMs);
  }

  /** The pause while somebody has to mend something. */
  longest(): number {
    return this.#maxMs;
  }

  reset(): void {
    this.#failureCount = 0;
  }
}
