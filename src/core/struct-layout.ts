import { Buffer } from 'node:buffer';
import { shortestFloat16, shortestFloat32 } from './shortest-float.ts';

export type StructValue = number | boolean | Buffer;

interface Kind {
  readonly byteCount: number;
  readonly read: (bytes: Buffer, at: number, isLittle: boolean) => StructValue;
}

type Setter = (view: DataView, at: number, value: number, isLittle: boolean) => void;

interface NumberSetter {
  readonly set: Setter;
  readonly min?: number;
  readonly max?: number;
  /** To what its place holds; the number itself when left out. */
  readonly round?: (value: number) => number;
}

/** How numbers are written. Whole ones have limits, which beyond 2^53 are those of what a number holds exactly. */
const SETTERS: Readonly<Record<string, NumberSetter>> = {
  b: { min: -128, max: 127, set: (view, at, value) => view.setInt8(at, value) },
  B: { min: 0, max: 255, set: (view, at, value) => view.setUint8(at, value) },
  '?': { min: 0, max: 1, set: (view, at, value) => view.setUint8(at, value) },
  h: { min: -32_768, max: 32_767, set: (view, at, value, isLittle) => view.setInt16(at, value, isLittle) },
  H: { min: 0, max: 65_535, set: (view, at, value, isLittle) => view.setUint16(at, value, isLittle) },
  i: { min: -(2 ** 31), max: 2 ** 31 - 1, set: (view, at, value, isLittle) => view.setInt32(at, value, isLittle) },
  I: { min: 0, max: 2 ** 32 - 1, set: (view, at, value, isLittle) => view.setUint32(at, value, isLittle) },
  q: {
    min: Number.MIN_SAFE_INTEGER,
    max: Number.MAX_SAFE_INTEGER,
    set: (view, at, value, isLittle) => view.setBigInt64(at, BigInt(value), isLittle),
  },
  Q: {
    min: 0,
    max: Number.MAX_SAFE_INTEGER,
    set: (view, at, value, isLittle) => view.setBigUint64(at, BigInt(value), isLittle),
  },
  e: { round: Math.f16round, set: (view, at, value, isLittle) => view.setFloat16(at, value, isLittle) },
  f: { round: Math.fround, set: (view, at, value, isLittle) => view.setFloat32(at, value, isLittle) },
  d: { set: (view, at, value, isLittle) => view.setFloat64(at, value, isLittle) },
};

/** Letters of Python's struct module, in their standard sizes. */
const KINDS: Readonly<Record<string, Kind>> = {
  b: { byteCount: 1, read: (bytes, at) => bytes.readInt8(at) },
  B: { byteCount: 1, read: (bytes, at) => bytes.readUInt8(at) },
  '?': { byteCount: 1, read: (bytes, at) => bytes.readUInt8(at) !== 0 },
  h: { byteCount: 2, read: (bytes, at, isLittle) => (isLittle ? bytes.readInt16LE(at) : bytes.readInt16BE(at)) },
  H: { byteCount: 2, read: (bytes, at, isLittle) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)) },
  e: { byteCount: 2, read: (bytes, at, isLittle) => shortestFloat16(viewOf(bytes).getFloat16(at, isLittle)) },
  i: { byteCount: 4, read: (bytes, at, isLittle) => (isLittle ? bytes.readInt32LE(at) : bytes.readInt32BE(at)) },
  I: { byteCount: 4, read: (bytes, at, isLittle) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) },
  f: {
    byteCount: 4,
    read: (bytes, at, isLittle) => shortestFloat32(isLittle ? bytes.readFloatLE(at) : bytes.readFloatBE(at)),
  },
  q: { byteCount: 8, read: (bytes, at, isLittle) => Number(viewOf(bytes).getBigInt64(at, isLittle)) },
  Q: { byteCount: 8, read: (bytes, at, isLittle) => Number(viewOf(bytes).getBigUint64(at, isLittle)) },
  d: { byteCount: 8, read: (bytes, at, isLittle) => (isLittle ? bytes.readDoubleLE(at) : bytes.readDoubleBE(at)) },
};
/** The same under another letter: without alignment, a long has four bytes. */
const ALIASES: Readonly<Record<string, string>> = { l: 'i', L: 'I' };

export const LAYOUT = /^[<>!](?:\d{0,3}[xsbB?hHiIlLqQefd])+$/;
const ITEM = /(\d{0,3})([xsbB?hHiIlLqQefd])/g;

interface Item {
  readonly at: number;
  readonly read: (bytes: Buffer, at: number) => StructValue;
  /** Returns what it must be when it is not. */
  readonly write: (bytes: Buffer, at: number, value: unknown) => string | undefined;
}

/**
 * How values stand behind each other in bytes, as Python's struct module writes it: `<` or `>` for the order of bytes, then
 * a letter for each value, with a number before it for several: `<hI3f`. `4x` leaves bytes out, `8s` is text.
 */
export class StructLayout {
  readonly byteCount: number;
  readonly #items: readonly Item[];

  /** @throws Error when the text is no layout */
  constructor(text: string) {
    if (!LAYOUT.test(text)) throw new Error('is no layout such as "<hI3f"');
    const isLittle = text.startsWith('<');
    const items: Item[] = [];
    let at = 0;
    for (const [, digits = '', letter = ''] of text.slice(1).matchAll(ITEM)) {
      const count = digits === '' ? 1 : Number(digits);
      if (letter === 'x') {
        at += count;
      } else if (letter === 's') {
        items.push({
          at,
          read: (bytes, from) => bytes.subarray(from, from + count),
          write: (bytes, from, value) => writeText(bytes.subarray(from, from + count), value),
        });
        at += count;
      } else {
        const kind = ALIASES[letter] ?? letter;
        const { byteCount, read } = KINDS[kind] as Kind;
        for (let left = count; left > 0; left -= 1, at += byteCount) {
          items.push({
            at,
            read: (bytes, from) => read(bytes, from, isLittle),
            write: (bytes, from, value) => writeNumber(viewOf(bytes), from, { kind, value, isLittle }),
          });
        }
      }
    }
    this.#items = items;
    this.byteCount = at;
  }

  get valueCount(): number {
    return this.#items.length;
  }

  /**
   * Exactly `byteCount` bytes. Integers beyond 2^53 are rounded, as every reader of JSON does; short floats have the
   * fewest digits that stand for them.
   */
  read(bytes: Buffer): StructValue[] {
    return this.#items.map(({ at, read }) => read(bytes, at));
  }

  /** The bytes that stand for the values, as many as `valueCount`. @throws Error that says which one has no place, and why */
  write(values: readonly unknown[]): Buffer {
    const bytes = Buffer.alloc(this.byteCount);
    for (const [index, { at, write }] of this.#items.entries()) {
      const rule = write(bytes, at, values[index]);
      if (rule !== undefined) throw new Error(`value ${index + 1} must be ${rule}`);
    }
    return bytes;
  }
}

/** Zeros behind it. */
function writeText(room: Buffer, value: unknown): string | undefined {
  const fits = typeof value === 'string' && Buffer.byteLength(value) <= room.length;
  if (!fits) return `text of at most ${room.length} bytes`;
  room.write(value);
  return undefined;
}

interface Written {
  readonly kind: string;
  readonly value: unknown;
  readonly isLittle: boolean;
}

function writeNumber(view: DataView, at: number, { kind, value, isLittle }: Written): string | undefined {
  const { set, min, max, round = Number } = SETTERS[kind] as NumberSetter;
  const number = kind === '?' && typeof value === 'boolean' ? Number(value) : value;
  const isWhole = min !== undefined && max !== undefined;
  if (typeof number !== 'number' || !Number.isFinite(number)) return kind === '?' ? 'true or false' : 'a number';
  if (isWhole && !(Number.isInteger(number) && number >= min && number <= max)) {
    return kind === '?' ? 'true or false' : `a whole number from ${min} to ${max}`;
  }
  if (!Number.isFinite(round(number))) return 'a number that is not too large for its place';
  set(view, at, number, isLittle);
  return undefined;
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
