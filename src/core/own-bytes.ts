import { Buffer } from 'node:buffer';

/** A copy of what is kept for long. `Buffer.from` cuts small ones from a slab of 64 KiB, which one of them keeps alive alone. */
export function ownBytes(bytes: Uint8Array): Buffer {
  const own = Buffer.allocUnsafeSlow(bytes.byteLength);
  own.set(bytes);
  return own;
}
