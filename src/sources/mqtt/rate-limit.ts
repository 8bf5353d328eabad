import { Brake } from './brake.ts';

export interface PacerOptions {
  /** After a burst of one second's worth; 0 is unlimited. */
  readonly ratePerS: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

const BURST_MS = 1_000;

/** Runs one client's tasks in order and not faster than a rate; what comes too early waits, nothing is dropped. */
export class Pacer {
  readonly #intervalMs: number;
  readonly #now: () => number;
  readonly #brake: Brake;
  /** When the rate alone would have brought the latest task. */
  #paidUntil = Number.NEGATIVE_INFINITY;

  constructor({ ratePerS, now = () => performance.now() }: PacerOptions) {
    this.#intervalMs = ratePerS === 0 ? 0 : 1_000 / ratePerS;
    this.#now = now;
    this.#brake = new Brake(now);
  }

  run(task: () => void): void {
    if (this.#intervalMs === 0) {
      task();
      return;
    }
    const now = this.#now();
    this.#paidUntil = Math.max(this.#paidUntil, now - BURST_MS) + this.#intervalMs;
    this.#brake.run(this.#paidUntil - now, task);
  }

  /** Runs at once what waits. */
  flush(): void {
    this.#brake.flush();
  }
}
