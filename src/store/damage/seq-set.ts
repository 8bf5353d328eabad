import type { Seq } from '../../core/record.ts';

const CHUNK_BYTES = 4096;
const CHUNK_SEQS = 8 * CHUNK_BYTES;

/** Seqs, a bit for each: they lie close together, so that ten million of them take little more than a megabyte. */
export class SeqSet {
  readonly #chunks = new Map<number, Uint8Array>();

  /** False when it is there already. */
  add(seq: Seq): boolean {
    const chunk = this.#chunkOf(Math.floor(seq / CHUNK_SEQS));
    const at = seq % CHUNK_SEQS;
    const [index, bit] = [at >>> 3, 1 << (at & 7)];
    const bits = chunk[index] ?? 0;
    chunk[index] = bits | bit;
    return (bits & bit) === 0;
  }

  #chunkOf(number: number): Uint8Array {
    const known = this.#chunks.get(number);
    if (known !== undefined) return known;
    const fresh = new Uint8Array(CHUNK_BYTES);
    this.#chunks.set(number, fresh);
    return fresh;
  }
}
