import type { LaneStats } from '../core/log-stats.ts';

const SPAN_MS = 10_000;

interface Sample {
  readonly at: number;
  readonly byUplink: ReadonlyMap<string, number>;
}

/** How many records a second are accepted for each uplink, over the last ten seconds. */
export class ArrivalRates {
  #samples: readonly Sample[] = [];

  /** `at`: milliseconds that never go back. */
  add(lanes: readonly LaneStats[], at: number): void {
    const byUplink = new Map<string, number>();
    for (const { uplink, acceptedCount } of lanes) {
      byUplink.set(uplink, (byUplink.get(uplink) ?? 0) + acceptedCount);
    }
    // One that is older stays, so that the span is whole.
    const from = this.#samples.findLastIndex((sample) => at - sample.at >= SPAN_MS);
    this.#samples = [...this.#samples.slice(Math.max(from, 0)), { at, byUplink }];
  }

  /** Of a shorter time a part of it, as the rate of delivery is told; 0 while nothing is known. */
  perSecond(uplink: string): number {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    const [before, now] = [first?.byUplink.get(uplink), last?.byUplink.get(uplink)];
    if (first === undefined || last === undefined || before === undefined || now === undefined) return 0;
    return ((now - before) * 1_000) / Math.max(last.at - first.at, SPAN_MS);
  }
}
