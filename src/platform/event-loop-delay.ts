import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 10;
const NS_PER_SECOND = 1e9;

/** How late this thread's event loop turns. */
export class EventLoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  start(): void {
    this.#histogram.enable();
  }

  stop(): void {
    this.#histogram.disable();
  }

  /** Seconds of the given quantiles (0–1) since the last call. The turn of the call itself is not counted. */
  take(quantiles: readonly number[]): readonly number[] {
    const seconds = quantiles.map((quantile) => this.#lateSeconds(this.#histogram.percentile(quantile * 100)));
    this.#histogram.reset();
    return seconds;
  }

  /** What Node measures is the time between two turns of its timer, so the timer's own period is in it. */
  #lateSeconds(intervalNs: number): number {
    return Math.max(0, intervalNs / NS_PER_SECOND - RESOLUTION_MS / 1000);
  }
}
