const SPAN_SECONDS = 10;

/** Of what is counted, records or bytes: so much per second, over the last ten whole seconds. */
export class RateMeter {
  readonly #now: () => number;
  readonly #counts = new Float64Array(SPAN_SECONDS + 1);
  #second: number;

  /** `now` in milliseconds, of a clock that never goes back. */
  constructor(now: () => number) {
    this.#now = now;
    this.#second = Math.floor(now() / 1000);
  }

  add(count: number): void {
    const slot = this.#advance() % this.#counts.length;
    this.#counts[slot] = (this.#counts[slot] ?? 0) + count;
  }

  /** The second that has just begun does not count yet. */
  perSecond(): number {
    const current = this.#advance() % this.#counts.length;
    let sum = 0;
    for (const [slot, count] of this.#counts.entries()) if (slot !== current) sum += count;
    return sum / SPAN_SECONDS;
  }

  #advance(): number {
    const second = Math.floor(this.#now() / 1000);
    const first = Math.max(this.#second + 1, second - SPAN_SECONDS);
    for (let passed = first; passed <= second; passed += 1) this.#counts[passed % this.#counts.length] = 0;
    this.#second = Math.max(second, this.#second);
    return this.#second;
  }
}
