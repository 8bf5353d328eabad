import { messageOf } from '../core/errors.ts';
import type { LogStats } from '../core/log-stats.ts';
import type { Logger } from '../platform/logger.ts';
import { ArrivalRates } from './arrival-rates.ts';

const POLL_MS = 1_000;

/** The store's figures, a second old at most, as long as the store has some. */
export class StatsPoll {
  readonly #read: () => Promise<LogStats>;
  readonly #logger: Logger;
  readonly #arrivals = new ArrivalRates();
  #latest: LogStats | undefined;
  #failure: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #stopped: boolean = false;

  constructor(read: () => Promise<LogStats>, logger: Logger) {
    this.#read = read;
    this.#logger = logger;
  }

  /** @throws what the store answers instead of its first figures */
  async start(): Promise<void> {
    this.#take(await this.#read());
    this.#pollLater();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  latest(): LogStats {
    if (this.#latest === undefined) throw new Error('the store was never asked');
    return this.#latest;
  }

  /** Why the figures are old; null when they are not. */
  failure(): string | null {
    return this.#failure;
  }

  arrivalRate(uplink: string): number {
    return this.#arrivals.perSecond(uplink);
  }

  async #poll(): Promise<void> {
    try {
      this.#take(await this.#read());
      this.#tellFailure(null);
    } catch (error) {
      this.#tellFailure(messageOf(error));
    }
    this.#pollLater();
  }

  #pollLater(): void {
    if (!this.#stopped) this.#timer = setTimeout(() => void this.#poll(), POLL_MS);
  }

  #take(stats: LogStats): void {
    const before = this.#latest;
    this.#latest = stats;
    this.#arrivals.add(stats.lanes, performance.now());
    this.#tellFull(before?.full ?? null, stats.full);
    this.#tellSalvage(before?.salvageStuck ?? null, stats.salvageStuck);
  }

  #tellSalvage(before: string | null, after: string | null): void {
    if (after !== null && before === null)
      this.#logger.error(
        { reason: after },
        'the disk does not give the damaged log that is put back; forwarding waits',
      );
    if (after === null && before !== null) this.#logger.info({}, 'the disk gives the damaged log again');
  }

  #tellFailure(reason: string | null): void {
    const before = this.#failure;
    this.#failure = reason;
    if (this.#stopped) return;
    if (reason !== null && before === null) this.#logger.error({ reason }, 'the store does not say how it is');
    if (reason === null && before !== null) this.#logger.info({}, 'the store says how it is again');
  }

  #tellFull(before: string | null, after: string | null): void {
    if (after !== null && before === null) this.#logger.error({ reason: after }, 'nothing can be stored');
    if (after === null && before !== null) this.#logger.info({}, 'records can be stored again');
  }
}
