import { Buffer } from 'node:buffer';

export interface FilterBudgetLimits {
  /** Bytes in memory. */
  readonly maxBytes: number;
  /** Of one device; anonymous clients are trusted with the whole. */
  readonly maxOwnBytes: number;
}

/** Each level of a filter is a node of the tree with two collections: measured, with Node 24. */
const LEVEL_BYTES = 400;

/** What the topic filters of all sessions may take together, and each device's of that. */
export class FilterBudget {
  readonly #limits: FilterBudgetLimits;
  readonly #bytesByOwner = new Map<string, number>();
  #bytes = 0;

  constructor(limits: FilterBudgetLimits) {
    this.#limits = limits;
  }

  hasRoom(owner: string, filter: string): boolean {
    const { maxBytes, maxOwnBytes } = this.#limits;
    const bytes = bytesOf(filter);
    if (owner !== '' && this.#own(owner) + bytes > maxOwnBytes) return false;
    return this.#bytes + bytes <= maxBytes;
  }

  take(owner: string, filter: string): void {
    this.#add(owner, bytesOf(filter));
  }

  give(owner: string, filter: string): void {
    this.#add(owner, -bytesOf(filter));
  }

  #own(owner: string): number {
    return this.#bytesByOwner.get(owner) ?? 0;
  }

  #add(owner: string, bytes: number): void {
    const own = this.#own(owner) + bytes;
    this.#bytes += bytes;
    if (own === 0) this.#bytesByOwner.delete(owner);
    else this.#bytesByOwner.set(owner, own);
  }
}

/** The text is there twice: as it came, and cut into levels. */
function bytesOf(filter: string): number {
  return 2 * Buffer.byteLength(filter) + LEVEL_BYTES * filter.split('/').length;
}
