/** Whether a client may be used for more, and what of it is on its way: that may end after `retire`. */
export class InUse {
  readonly #destroy: () => void;
  #count = 0;
  #isUsable = true;

  /** `destroy`: for a client that is retired and has nothing on its way. */
  constructor(destroy: () => void) {
    this.#destroy = destroy;
  }

  get isUsable(): boolean {
    return this.#isUsable;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    this.#count += 1;
    try {
      return await work();
    } finally {
      this.#count -= 1;
      this.#destroyIfDone();
    }
  }

  retire(): void {
    this.#isUsable = false;
    this.#destroyIfDone();
  }

  /** What is on its way is not waited for. */
  end(): void {
    this.#isUsable = false;
  }

  #destroyIfDone(): void {
    if (!this.#isUsable && this.#count === 0) this.#destroy();
  }
}
