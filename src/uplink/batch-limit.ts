import type { ReadLimit } from '../core/lane-log.ts';
import type { BatchOptions } from './options.ts';

/**
 * How much a lane offers at once. Halved when the upstream did not answer in time and doubled when it did, so that a
 * line too slow for a whole batch still carries smaller ones.
 */
export class BatchLimit {
  readonly #options: BatchOptions;
  #share = 1;

  constructor(options: BatchOptions) {
    this.#options = options;
  }

  get limit(): ReadLimit {
    return {
      maxRecords: Math.max(1, Math.floor(this.#options.maxRecords * this.#share)),
      maxBytes: Math.max(1, Math.floor(this.#options.maxBytes * this.#share)),
    };
  }

  /** What is offered while all is well. */
  get whole(): ReadLimit {
    return this.#options;
  }

  shrink(): void {
    this.#share = Math.max(this.#share / 2, 1 / this.#options.maxRecords);
  }

  grow(): void {
    this.#share = Math.min(1, this.#share * 2);
  }
}
