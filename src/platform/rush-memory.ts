import { giveBackMemory } from './start-memory.ts';

/** What is less is not worth the pause: clients that come and go, and an hour's work, make as much of a difference. */
const WORTH = 1.2;
/** Those who come back at once, and those who take their time to leave, are over by then. */
const QUIET_MS = 10_000;
/** What was given back is gone from the process a little later. */
const GONE_MS = 1_000;

/** So many must have left for each one that is still here: a fleet that comes back is no crowd that goes. */
const CROWD = 2;

export interface RushMemoryOptions {
  /** How many are here. */
  readonly hereCount: () => number;
  readonly giveBack?: () => void;
  /** Of the process, in bytes. */
  readonly rss?: () => number;
}

/**
 * Visitors leave garbage that V8 keeps until there is half as much again, which in ordinary life may take for ever. When most
 * of them have gone, for ten seconds nobody more has left, and the process is a fifth larger than it was after the last
 * time, it is given back. That is a pause for those who are here, and code that was compiled for speed is lost.
 */
export class RushMemory {
  readonly #hereCount: () => number;
  readonly #giveBack: () => void;
  readonly #rss: () => number;
  #ordinary = Number.POSITIVE_INFINITY;
  #leftCount = 0;
  #timer: NodeJS.Timeout | undefined;
  #lookTimer: NodeJS.Timeout | undefined;

  constructor({ hereCount, giveBack = giveBackMemory, rss = process.memoryUsage.rss }: RushMemoryOptions) {
    this.#hereCount = hereCount;
    this.#giveBack = giveBack;
    this.#rss = rss;
  }

  /** What the process has now is what it needs. */
  start(): void {
    this.#ordinary = this.#rss();
  }

  left(): void {
    this.#leftCount += 1;
    this.#timer ??= setTimeout(() => this.#over(), QUIET_MS).unref();
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#lookTimer);
  }

  #over(): void {
    this.#timer = undefined;
    const isOver = this.#leftCount >= CROWD * this.#hereCount();
    this.#leftCount = 0;
    if (!isOver) return;
    const rss = this.#rss();
    this.#ordinary = Math.min(this.#ordinary, rss);
    if (rss < WORTH * this.#ordinary) return;
    this.#giveBack();
    this.#lookTimer = setTimeout(() => this.start(), GONE_MS).unref();
  }
}
