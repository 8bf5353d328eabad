const BUCKET_MS = 0.05;
const BUCKETS = 200_000;

/** Latencies in buckets of 50 µs up to 10 s: exact enough for percentiles, without a number kept per message. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;

  add(ms: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(ms / BUCKET_MS)));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.#total += 1;
  }

  get count(): number {
    return this.#total;
  }

  /** Upper edge of the bucket that holds the given share (0–1) of all values; NaN when there are none. */
  percentileMs(share: number): number {
    const wanted = Math.ceil(this.#total * share);
    let seen = 0;
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted && seen > 0) return Math.round((bucket + 1) * BUCKET_MS * 100) / 100;
    }
    return Number.NaN;
  }
}
