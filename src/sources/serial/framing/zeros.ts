const BITS = 32;

/** What becomes of the state of a CRC behind many zeros, in as many steps as their number has binary digits. */
export class Zeros {
  /** Of one zero. */
  readonly #step: (state: number) => number;
  /** By the power of two of their number: what becomes of each bit. */
  readonly #powers: Uint32Array[] = [];

  constructor(step: (state: number) => number) {
    this.#step = step;
  }

  behind(state: number, count: number): number {
    let found = state;
    for (let power = 0, left = count; left > 0; power += 1, left >>>= 1) {
      if ((left & 1) === 1) found = mapped(found, this.#power(power));
    }
    return found;
  }

  #power(power: number): Uint32Array {
    const known = this.#powers[power];
    if (known !== undefined) return known;
    const half = power === 0 ? undefined : this.#power(power - 1);
    const bits = Uint32Array.from({ length: BITS }, (_, bit) =>
      half === undefined ? this.#step((1 << bit) >>> 0) : mapped(half[bit] ?? 0, half),
    );
    this.#powers[power] = bits;
    return bits;
  }
}

function mapped(state: number, bits: Uint32Array): number {
  let found = 0;
  for (let bit = 0, left = state; left !== 0; bit += 1, left >>>= 1) if ((left & 1) === 1) found ^= bits[bit] ?? 0;
  return found;
}
