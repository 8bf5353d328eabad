/** Copies of what is kept for long. A piece keeps alive all that it was cut from. */

import { Buffer } from 'node:buffer';

/** `Buffer.from` cuts small ones from a slab of 64 KiB, which one of them keeps alive alone. */
export function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  own.set(bytes);
  return own;
}

/** Halves of surrogate pairs stay as they are. */
export function ownText(piece: string): string {
  return Buffer.from(piece, 'utf16le').toString('utf16le');
}
