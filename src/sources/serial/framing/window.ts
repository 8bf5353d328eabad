import { Buffer } from 'node:buffer';

const LEAST_BYTES = 256;

/** Bytes that were read and not yet understood, in one piece. */
export class Window {
  #buffer = Buffer.alloc(0);
  #from = 0;
  #to = 0;

  get length(): number {
    return this.#to - this.#from;
  }

  /** Good until the next call of `append`. */
  get bytes(): Buffer {
    return this.#buffer.subarray(this.#from, this.#to);
  }

  append(chunk: Buffer): void {
    if (this.#to + chunk.length > this.#buffer.length) this.#makeRoom(chunk.length);
    chunk.copy(this.#buffer, this.#to);
    this.#to += chunk.length;
  }

  /** The first `count` bytes are done with. */
  drop(count: number): void {
    this.#from += count;
  }

  /** Twice what is needed, so that bytes are moved now and then only. */
  #makeRoom(count: number): void {
    const held = this.bytes;
    const needed = Math.max(2 * (held.length + count), LEAST_BYTES);
    const buffer = needed > this.#buffer.length ? Buffer.allocUnsafe(needed) : this.#buffer;
    held.copy(buffer, 0);
    this.#buffer = buffer;
    this.#from = 0;
    this.#to = held.length;
  }
}
