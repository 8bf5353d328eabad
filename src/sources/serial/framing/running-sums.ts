import type { Buffer } from 'node:buffer';
import type { Checksum } from './checksums.ts';

const LEAST_STATES = 256;

/**
 * Checksums of parts of a stream, which may overlap: no byte is summed more than twice. Where every byte of a line may begin
 * a frame, the sum of each would else take as long as the frame is. Memory: four bytes for each of the longest part, twice.
 */
export class RunningSums {
  readonly #checksum: Checksum;
  #states = new Uint32Array(0);
  /** Of the stream: where the first state is that of, and the last. */
  #from = 0;
  #to = 0;
  /** What begins before it overlaps with a part that was summed at once, without its states. */
  #summedTo = 0;

  constructor(checksum: Checksum) {
    this.#checksum = checksum;
  }

  /** Of `bytes`, which begin at that place of the stream: never before the place that was asked for the last time. */
  sum(bytes: Buffer, at: number): number {
    if (at >= this.#summedTo) {
      this.#summedTo = at + bytes.length;
      return this.#checksum.sum(bytes);
    }
    this.#begin(at, bytes.length);
    const { step, between } = this.#checksum;
    let state = this.#stateAt(this.#to);
    for (; this.#to < at + bytes.length; this.#to += 1) {
      state = step(state, bytes[this.#to - at] ?? 0);
      this.#states[this.#to + 1 - this.#from] = state;
    }
    return between(this.#stateAt(at), this.#stateAt(at + bytes.length), bytes.length);
  }

  #stateAt(place: number): number {
    return this.#states[place - this.#from] ?? 0;
  }

  /** There is room for the states of so many bytes from there on, and the first of them is known. */
  #begin(at: number, byteCount: number): void {
    if (at > this.#to || this.#states.length === 0) {
      if (byteCount >= this.#states.length) this.#states = new Uint32Array(roomFor(byteCount));
      this.#states[0] = this.#checksum.from;
      this.#from = at;
      this.#to = at;
    }
    if (at + byteCount - this.#from < this.#states.length) return;
    const kept = this.#states.subarray(at - this.#from, this.#to + 1 - this.#from);
    const needed = roomFor(byteCount);
    const states = needed > this.#states.length ? new Uint32Array(needed) : this.#states;
    states.set(kept);
    this.#states = states;
    this.#from = at;
  }
}

/** Twice what is needed, so that states are moved now and then only. */
function roomFor(byteCount: number): number {
  return Math.max(2 * (byteCount + 1), LEAST_STATES);
}
