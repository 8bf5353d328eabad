const LOOK_MS = 5_000;
/** So many connections must have closed for each one that is open: less is no crowd that has gone. */
const CROWD = 2;
/** Nobody leaves any more when so many times fewer do than when most did: somebody always comes and goes. */
const CALM = 10;
/** What is less is not worth the pause. */
const WORTH = 1.15;
/** However often crowds come, and whatever else makes the process grow. */
const MAX_AN_HOUR = 10;
const HOUR_MS = 3_600_000;

export interface RushMemoryOptions {
  /** Connections that are open. */
  readonly openCount: () => number;
  readonly giveBack: () => void;
  /** Of the process, in bytes. */
  readonly rss?: () => number;
}

/**
 * A crowd leaves garbage that V8 keeps until there is half as much again, which in ordinary life may take for ever. It is
 * given back when for each open connection two have closed, for five seconds hardly any more has, and the process is
 * 15 percent larger than it was at its smallest since the last time; ten times an hour at most. That is a pause for all
 * others, and code that was compiled for speed is lost.
 */
export class RushMemory {
  readonly #openCount: () => number;
  readonly #giveBack: () => void;
  readonly #rss: () => number;
  #isRunning = false;
  #smallest = Number.POSITIVE_INFINITY;
  #closedCount = 0;
  #closedSinceLook = 0;
  /** Between two looks. */
  #mostClosed = 0;
  #givenBackAt: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({ openCount, giveBack, rss = process.memoryUsage.rss }: RushMemoryOptions) {
    this.#openCount = openCount;
    this.#giveBack = giveBack;
    this.#rss = rss;
  }

  /** Soon, when what the start took is given back, the process has what it needs. */
  start(): void {
    this.#isRunning = true;
    this.#lookAgain();
  }

  /** A connection has closed. */
  closed(): void {
    if (!this.#isRunning) return;
    this.#closedCount += 1;
    this.#closedSinceLook += 1;
    if (this.#timer === undefined) this.#lookAgain();
  }

  stop(): void {
    this.#isRunning = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #lookAgain(): void {
    this.#timer = setTimeout(() => this.#look(), LOOK_MS).unref();
  }

  #look(): void {
    this.#timer = undefined;
    const rss = this.#rss();
    this.#smallest = Math.min(this.#smallest, rss);
    this.#mostClosed = Math.max(this.#mostClosed, this.#closedSinceLook);
    const isCalm = CALM * this.#closedSinceLook <= this.#mostClosed;
    this.#closedSinceLook = 0;
    if (!isCalm) {
      this.#lookAgain();
      return;
    }
    const isOver = this.#closedCount >= CROWD * this.#openCount();
    this.#closedCount = 0;
    this.#mostClosed = 0;
    if (isOver && rss >= WORTH * this.#smallest && this.#mayPause()) this.#pause();
  }

  #mayPause(): boolean {
    const now = performance.now();
    this.#givenBackAt = this.#givenBackAt.filter((at) => now - at < HOUR_MS);
    return this.#givenBackAt.length < MAX_AN_HOUR;
  }

  /** What was given back is gone from the process a little later: it is looked at again. */
  #pause(): void {
    this.#givenBackAt.push(performance.now());
    this.#giveBack();
    this.#smallest = this.#rss();
    this.#lookAgain();
  }
}
