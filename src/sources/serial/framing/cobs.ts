import { Buffer } from 'node:buffer';
import type { Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { SplitFraming } from './split-framing.ts';

/** A block of as many bytes has no zero behind it. */
const FULL_BLOCK = 0xff;

/**
 * Consistent Overhead Byte Stuffing: a zero behind each frame and none within [S. Cheshire and M. Baker, IEEE/ACM
 * Transactions on Networking 7(2), 1999].
 */
export function cobs(options: OptionsOf<'cobs'>): Framing {
  return new SplitFraming({ ...options, delimiter: Buffer.from([0]), open: unstuffed, close: stuffed });
}

/** Each block says how long it is, and stands for its bytes and the zero behind them. */
function unstuffed(piece: Buffer): Buffer | undefined {
  const bytes = Buffer.alloc(piece.length);
  let length = 0;
  for (let at = 0; at < piece.length; ) {
    const code = piece[at] ?? 0;
    const next = at + code;
    if (next > piece.length) return undefined;
    length += piece.copy(bytes, length, at + 1, next);
    if (code !== FULL_BLOCK && next < piece.length) length += 1;
    at = next;
  }
  return bytes.subarray(0, length);
}

function stuffed(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  let from = 0;
  for (;;) {
    const zero = bytes.indexOf(0, from);
    const end = Math.min(zero === -1 ? bytes.length : zero, from + FULL_BLOCK - 1);
    const block = bytes.subarray(from, end);
    blocks.push(Buffer.from([block.length + 1]), block);
    const isFull = block.length === FULL_BLOCK - 1;
    if (end === bytes.length) return Buffer.concat(blocks);
    from = isFull ? end : end + 1;
  }
}
