import { messageOf } from '../core/errors.ts';
import type { LogStats } from '../core/ports.ts';
import type { Logger } from '../platform/logger.ts';
import { ArrivalRates } from './arrival-rates.ts';

const POLL_MS = 1_000;
/** A store that has not answered for so long is stuck in a write. */
const STUCK_MS = 10_000;

/** The store's figures, a second old at most; and whether the store still answers. */
export class StatsPoll {
  readonly #read: () => Promise<LogStats>;
  readonly #logger: Logger;
  readonly #arrivals = new ArrivalRates();
  #latest: LogStats | undefined;
  #answeredAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #stopped: boolean = false;

  constructor(read: () => Promise<LogStats>, logger: Logger) {
    this.#read = read;
    this.#logger = logger;
  }

  async start(): Promise<void> {
    await this.#poll();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  latest(): LogStats {
    if (this.#latest === undefined) throw new Error('the store was never asked');
    return this.#latest;
  }

  arrivalRate(uplink: string): number {
    return this.#arrivals.perSecond(uplink);
  }

  isStuck(): boolean {
    return performance.now() - this.#answeredAt > STUCK_MS;
  }

  async #poll(): Promise<void> {
    try {
      const before = this.#latest?.full ?? null;
      this.#latest = await this.#read();
      this.#answeredAt = performance.now();
      this.#arrivals.add(this.#latest.lanes, this.#answeredAt);
      this.#tellFull(before, this.#latest.full);
      if (!this.#stopped) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
    } catch (error) {
      if (!this.#stopped) this.#logger.error({ reason: messageOf(error) }, 'the store does not answer');
    }
  }

  #tellFull(before: string | null, after: string | null): void {
    if (after !== null && before === null) this.#logger.error({ reason: after }, 'nothing can be stored');
    if (after === null && before !== null) this.#logger.info({}, 'records can be stored again');
  }
}
