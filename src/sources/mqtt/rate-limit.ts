export interface PacerOptions {
  /** After a burst of one second's worth; 0 is unlimited. */
  readonly ratePerS: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

interface Waiting {
  readonly dueAt: number;
  readonly task: () => void;
}

const BURST_MS = 1_000;

/** Runs one client's tasks in order and not faster than a rate; what comes too early waits, nothing is dropped. */
export class Pacer {
  readonly #intervalMs: number;
  readonly #now: () => number;
  /** When the rate alone would have brought the latest task. */
  #paidUntil = Number.NEGATIVE_INFINITY;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ ratePerS, now = () => performance.now() }: PacerOptions) {
    this.#intervalMs = ratePerS === 0 ? 0 : 1_000 / ratePerS;
    this.#now = now;
  }

  run(task: () => void): void {
    if (this.#intervalMs === 0) {
      task();
      return;
    }
    const now = this.#now();
    this.#paidUntil = Math.max(this.#paidUntil, now - BURST_MS) + this.#intervalMs;
    if (this.#paidUntil <= now && this.#waiting.length === 0) {
      task();
      return;
    }
    this.#waiting.push({ dueAt: this.#paidUntil, task });
    this.#arm(now);
  }

  /** Runs at once what waits. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { task } of waiting) task();
  }

  #arm(now: number): void {
    const first = this.#waiting[0];
    if (first === undefined || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#runDue(), Math.max(1, first.dueAt - now));
  }

  #runDue(): void {
    this.#timer = undefined;
    const now = this.#now();
    const later = this.#waiting.findIndex(({ dueAt }) => dueAt > now);
    const due = this.#waiting.splice(0, later === -1 ? this.#waiting.length : later);
    for (const { task } of due) task();
    this.#arm(now);
  }
}
