import { Buffer } from 'node:buffer';

const EMPTY = Buffer.alloc(0);

/** The beginning of something that is not complete yet. Grows by doubling, so that tiny pieces cost no more than large ones. */
export class HeldBytes {
  #bytes = EMPTY;
  #length = 0;

  add(piece: Buffer): void {
    const needed = this.#length + piece.length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, this.#length);
      this.#bytes = grown;
    }
    piece.copy(this.#bytes, this.#length);
    this.#length = needed;
  }

  /** All that is held; valid until more is added. */
  peek(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** All that is held and `last` behind it; nothing is held any more. */
  takeWith(last: Buffer): Buffer {
    if (this.#length === 0) return last;
    this.add(last);
    const whole = this.peek();
    this.#bytes = EMPTY;
    this.#length = 0;
    return whole;
  }
}
