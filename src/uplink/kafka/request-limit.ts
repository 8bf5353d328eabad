/** What a topic refused as too large is believed for so long; its limit may be raised meanwhile. */
const BELIEVED_MS = 600_000;

/** Bytes of messages that fit into one request. */
export class RequestLimit {
  readonly #configuredBytes: number;
  readonly #now: () => number;
  #learnedBytes: number;
  #believedUntil = 0;

  /** `now`: milliseconds of a clock that never goes back. */
  constructor(configuredBytes: number, now: () => number = () => performance.now()) {
    this.#configuredBytes = configuredBytes;
    this.#learnedBytes = configuredBytes;
    this.#now = now;
  }

  get bytes(): number {
    return this.#now() < this.#believedUntil ? this.#learnedBytes : this.#configuredBytes;
  }

  /** What was seen to fit, with requests of up to `bytes`. */
  learn(bytes: number): void {
    if (bytes >= this.bytes) return;
    this.#learnedBytes = bytes;
    this.#believedUntil = this.#now() + BELIEVED_MS;
  }
}
