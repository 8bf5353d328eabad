export interface ByteBudgetLimits {
  readonly maxBytes: number;
  /** Of one device; anonymous clients, whose owner is empty, are trusted with the whole. */
  readonly maxOwnBytes: number;
}

/** What all owners may take together, and each device of that. */
export class ByteBudget {
  readonly #limits: ByteBudgetLimits;
  readonly #bytesByOwner = new Map<string, number>();
  #bytes = 0;

  constructor(limits: ByteBudgetLimits) {
    this.#limits = limits;
  }

  hasRoom(owner: string, bytes: number): boolean {
    const { maxBytes, maxOwnBytes } = this.#limits;
    if (owner !== '' && this.#own(owner) + bytes > maxOwnBytes) return false;
    return this.#bytes + bytes <= maxBytes;
  }

  take(owner: string, bytes: number): void {
    const own = this.#own(owner) + bytes;
    this.#bytes += bytes;
    if (own === 0) this.#bytesByOwner.delete(owner);
    else this.#bytesByOwner.set(owner, own);
  }

  give(owner: string, bytes: number): void {
    this.take(owner, -bytes);
  }

  #own(owner: string): number {
    return this.#bytesByOwner.get(owner) ?? 0;
  }
}
