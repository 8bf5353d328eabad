/**
 * The number with the fewest digits that is the same as a float of four bytes: 230.1, for what is exactly
 * 230.10000610351562.
 */
export function shortestFloat32(value: number): number {
  return shortest(value, { digits: 6, maxDigits: 9, round: Math.fround });
}

/** The same of two bytes. */
export function shortestFloat16(value: number): number {
  return shortest(value, { digits: 3, maxDigits: 5, round: Math.f16round });
}

interface Precision {
  /** So many survive the way through the float, whichever they are. */
  readonly digits: number;
  /** So many tell each float from the next one. */
  readonly maxDigits: number;
  readonly round: (value: number) => number;
}

const EXACT_BELOW = 2 ** 24;

function shortest(value: number, { digits, maxDigits, round }: Precision): number {
  if (Number.isInteger(value) && Math.abs(value) < EXACT_BELOW) return value;
  for (let count = digits; count < maxDigits; count += 1) {
    const short = Number(value.toPrecision(count));
    if (round(short) === value) return short;
  }
  return Number(value.toPrecision(maxDigits));
}
