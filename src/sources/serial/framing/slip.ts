import { Buffer } from 'node:buffer';
import type { Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { SplitFraming } from './split-framing.ts';

const END = 0xc0;
const ESCAPE = 0xdb;
const ESCAPED_END = 0xdc;
const ESCAPED_ESCAPE = 0xdd;

/** Serial Line IP [RFC 1055]: END before and behind each frame, escapes within. */
export function slip(options: OptionsOf<'slip'>): Framing {
  const delimiter = Buffer.from([END]);
  return new SplitFraming({ ...options, delimiter, open: unescaped, close: escaped, delimitsBefore: true });
}

function unescaped(piece: Buffer): Buffer | undefined {
  if (!piece.includes(ESCAPE)) return piece;
  const bytes: number[] = [];
  for (let at = 0; at < piece.length; at += 1) {
    const byte = piece[at] ?? 0;
    if (byte !== ESCAPE) bytes.push(byte);
    else if (piece[at + 1] === ESCAPED_END) bytes.push(END);
    else if (piece[at + 1] === ESCAPED_ESCAPE) bytes.push(ESCAPE);
    else return undefined;
    if (byte === ESCAPE) at += 1;
  }
  return Buffer.from(bytes);
}

function escaped(bytes: Buffer): Buffer {
  return Buffer.from(Array.from(bytes, escapedByte).flat());
}

function escapedByte(byte: number): number[] {
  if (byte === END) return [ESCAPE, ESCAPED_END];
  return byte === ESCAPE ? [ESCAPE, ESCAPED_ESCAPE] : [byte];
}
