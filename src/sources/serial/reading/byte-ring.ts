import type { Buffer } from 'node:buffer';

/** Numbers of bytes, modulo 2^32; then flags. */
const PUT = 0;
const TAKEN = 1;
const WANTS_ROOM = 2;
const ENDED = 3;
const CELL_COUNT = 4;
const HEAD_BYTES = CELL_COUNT * Int32Array.BYTES_PER_ELEMENT;

/** Bytes on their way from the one thread that puts them to the one that takes them, in order. Neither waits for the other. */
export class ByteRing {
  readonly memory: SharedArrayBuffer;
  readonly #cells: Int32Array;
  readonly #bytes: Uint8Array;

  /** `memory`: of the ring that the other thread has made. */
  constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#cells = new Int32Array(memory, 0, CELL_COUNT);
    this.#bytes = new Uint8Array(memory, HEAD_BYTES);
  }

  /** `byteCount`: a power of two, as counts go on over their own end. */
  static of(byteCount: number): ByteRing {
    return new ByteRing(new SharedArrayBuffer(HEAD_BYTES + byteCount));
  }

  get room(): number {
    return this.#bytes.length - this.#count();
  }

  /** @throws RangeError when there is no room for all of them */
  put(bytes: Uint8Array): void {
    if (bytes.length > this.room) throw new RangeError(`${bytes.length} bytes, and room for ${this.room}`);
    const put = Atomics.load(this.#cells, PUT);
    const at = this.#placeOf(put);
    const toEnd = this.#bytes.length - at;
    if (bytes.length <= toEnd) this.#bytes.set(bytes, at);
    else {
      this.#bytes.set(bytes.subarray(0, toEnd), at);
      this.#bytes.set(bytes.subarray(toEnd));
    }
    Atomics.store(this.#cells, PUT, put + bytes.length);
  }

  /** Moves what is there, as far as the buffer holds it; returns how many bytes that were. */
  take(into: Buffer): number {
    const count = Math.min(this.#count(), into.length);
    const taken = Atomics.load(this.#cells, TAKEN);
    const at = this.#placeOf(taken);
    const end = at + count;
    into.set(this.#bytes.subarray(at, end));
    const size = this.#bytes.length;
    if (end > size) into.set(this.#bytes.subarray(0, end - size), size - at);
    Atomics.store(this.#cells, TAKEN, taken + count);
    return count;
  }

  /** For the one that puts, when there is no room for so many. False: by now there is. Else `makesRoom` will be true once. */
  waitsForRoom(byteCount: number): boolean {
    Atomics.store(this.#cells, WANTS_ROOM, byteCount);
    return !this.makesRoom();
  }

  /** For the one that takes, after it took: whether the other one waits, and need not any more. True once. */
  makesRoom(): boolean {
    const wanted = Atomics.load(this.#cells, WANTS_ROOM);
    if (wanted === 0 || this.room < wanted) return false;
    return Atomics.exchange(this.#cells, WANTS_ROOM, 0) !== 0;
  }

  /** Nothing more will be put. */
  end(): void {
    Atomics.store(this.#cells, ENDED, 1);
  }

  /** Asked before `take`: what was put before the end is still there. */
  get isEnded(): boolean {
    return Atomics.load(this.#cells, ENDED) === 1;
  }

  #count(): number {
    return (Atomics.load(this.#cells, PUT) - Atomics.load(this.#cells, TAKEN)) >>> 0;
  }

  #placeOf(count: number): number {
    return count & (this.#bytes.length - 1);
  }
}
