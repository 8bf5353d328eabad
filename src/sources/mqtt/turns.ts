/** One at a time per key, in the order of asking. */
export class Turns {
  readonly #tails = new Map<string, Promise<void>>();

  /** Resolves with what ends the turn; calling that again does nothing. */
  async take(key: string): Promise<() => void> {
    const before = this.#tails.get(key);
    const turn = Promise.withResolvers<void>();
    const tail = turn.promise;
    this.#tails.set(key, tail);
    await before;
    return () => {
      turn.resolve();
      if (this.#tails.get(key) === tail) this.#tails.delete(key);
    };
  }
}
