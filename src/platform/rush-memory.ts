import { giveBackMemory } from './start-memory.ts';

/** What is less is not worth the pause. */
const WORTH = 1.15;
const QUIET_MS = 3_000;

export interface RushMemoryOptions {
  readonly giveBack?: () => void;
  /** Of the process, in bytes. */
  readonly rss?: () => number;
}

/**
 * Visitors leave garbage that V8 keeps until there is half as much again, which in ordinary life may take for ever. When for
 * three seconds nobody more has left, and the process is a sixth larger than it was after the last time, it is given back.
 */
export class RushMemory {
  readonly #giveBack: () => void;
  readonly #rss: () => number;
  #ordinary = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor({ giveBack = giveBackMemory, rss = process.memoryUsage.rss }: RushMemoryOptions = {}) {
    this.#giveBack = giveBack;
    this.#rss = rss;
  }

  /** What the process has now is what it needs. */
  start(): void {
    this.#ordinary = this.#rss();
  }

  left(): void {
    this.#timer ??= setTimeout(() => this.#over(), QUIET_MS).unref();
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #over(): void {
    this.#timer = undefined;
    const rss = this.#rss();
    this.#ordinary = Math.min(this.#ordinary, rss);
    if (rss < WORTH * this.#ordinary) return;
    this.#giveBack();
    this.#ordinary = this.#rss();
  }
}
