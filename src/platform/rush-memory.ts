const LOOK_MS = 5_000;
/** So many connections must have closed for each one that is open: less is no crowd that has gone. */
const CROWD = 2;
/** Nobody leaves any more when so many times fewer do than when most did: somebody always comes and goes. */
const CALM = 10;
/** What is less is not worth the pause. */
const WORTH = 1.15;
/** The pause waits for so long a time in which this thread was idle for the most part, … */
const QUIET_MS = 500;
/** … which is when it was busy for no more than this part of it, … */
const QUIET = 0.3;
/** … and for that no longer than a minute: some machines always have that much to do. */
const MAX_QUIET_LOOKS = 120;
/** However often crowds come, and whatever else makes the process grow. */
const MAX_AN_HOUR = 10;
const HOUR_MS = 3_600_000;

export interface RushMemoryOptions {
  /** Connections that are open. */
  readonly openCount: () => number;
  readonly giveBack: () => void;
  /** Of the process, in bytes. */
  readonly rss?: () => number;
  /** Of the time since the last call this thread was busy for this part, 0 to 1. */
  readonly busyPart?: () => number;
}

/**
 * A crowd leaves garbage that V8 keeps until there is half as much again, which in ordinary life may take for ever. It is
 * given back when for each open connection two have closed, for five seconds hardly any more has, and the process is
 * 15 percent larger than it was at its smallest since the last time; ten times an hour at most. That is a pause for all
 * others, and code that was compiled for speed is lost: so it is done when there is little else to do, if that is within
 * a minute.
 */
export class RushMemory {
  readonly #openCount: () => number;
  readonly #giveBack: () => void;
  readonly #rss: () => number;
  readonly #busyPart: () => number;
  #isRunning = false;
  #smallest = Number.POSITIVE_INFINITY;
  #closedCount = 0;
  #closedSinceLook = 0;
  /** Between two looks. */
  #mostClosed = 0;
  #givenBackAt: number[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor({
    openCount,
    giveBack,
    rss = process.memoryUsage.rss,
    busyPart = busyPartOfThread(),
  }: RushMemoryOptions) {
    this.#openCount = openCount;
    this.#giveBack = giveBack;
    this.#rss = rss;
    this.#busyPart = busyPart;
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
    this.#mostClosed = 0;
    if (this.#isWorth(rss) && this.#mayPause()) this.#awaitQuiet(MAX_QUIET_LOOKS);
    else this.#closedCount = 0;
  }

  /** A crowd has gone, and left something. */
  #isWorth(rss: number): boolean {
    return this.#closedCount >= CROWD * this.#openCount() && rss >= WORTH * this.#smallest;
  }

  #awaitQuiet(looks: number): void {
    this.#busyPart();
    this.#timer = setTimeout(() => {
      const isQuiet = this.#busyPart() <= QUIET;
      // Another crowd may have come, with which the process is as large as it has to be.
      if (!this.#isWorth(this.#rss())) this.#lookAgain();
      else if (isQuiet || looks === 1) this.#pause();
      else this.#awaitQuiet(looks - 1);
    }, QUIET_MS).unref();
  }

  #mayPause(): boolean {
    const now = performance.now();
    this.#givenBackAt = this.#givenBackAt.filter((at) => now - at < HOUR_MS);
    return this.#givenBackAt.length < MAX_AN_HOUR;
  }

  /** What was given back is gone from the process a little later: it is looked at again. */
  #pause(): void {
    this.#givenBackAt.push(performance.now());
    this.#closedCount = 0;
    this.#giveBack();
    this.#smallest = this.#rss();
    this.#lookAgain();
  }
}

/** Of the time since the last call, 0 to 1. */
export function busyPartOfThread(): () => number {
  let last = performance.eventLoopUtilization();
  return () => {
    const now = performance.eventLoopUtilization();
    const { utilization } = performance.eventLoopUtilization(now, last);
    last = now;
    return utilization;
  };
}
