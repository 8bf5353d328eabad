interface Waiting {
  readonly dueAt: number;
  readonly task: () => void;
}

/** Runs one client's tasks in order, none before its time: what comes behind one that waits waits too. Nothing is dropped. */
export class Brake {
  /** Milliseconds of a clock that never goes back. */
  readonly #now: () => number;
  #waiting: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  run(delayMs: number, task: () => void): void {
    if (delayMs <= 0 && this.#waiting.length === 0) {
      task();
      return;
    }
    const now = this.#now();
    this.#waiting.push({ dueAt: now + delayMs, task });
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
