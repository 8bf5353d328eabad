import { Buffer } from 'node:buffer';
import type { Framing } from './framing.ts';
import type { LengthPrefix, OptionsOf } from './options.ts';
import { bad, type Extent, ScanFraming } from './scan-framing.ts';

/** Frames that say how long they are. What stands between `start` and the length is zero when written. */
export function lengthPrefixed(options: OptionsOf<'length-prefixed'>): Framing {
  return new ScanFraming({
    ...options,
    extent: (bytes) => extent(bytes, options),
    wrap: (body) => wrap(body, options),
  });
}

/** Of what the length does not count. */
function uncounted({ start, lengthOffset, lengthWidth, lengthCovers }: LengthPrefix): number {
  if (lengthCovers === 'all') return 0;
  return start.length + lengthOffset + (lengthCovers === 'rest' ? lengthWidth : 0);
}

function extent(bytes: Buffer, prefix: LengthPrefix): Extent {
  const { start, lengthOffset, lengthWidth, lengthOrder } = prefix;
  const at = start.length + lengthOffset;
  const from = at + lengthWidth;
  if (bytes.length < from) return { kind: 'begun' };
  const length = lengthOrder === 'big' ? bytes.readUIntBE(at, lengthWidth) : bytes.readUIntLE(at, lengthWidth);
  const byteCount = uncounted(prefix) + length;
  return byteCount < from ? bad('malformed') : { kind: 'whole', byteCount, from, to: byteCount };
}

function wrap(body: Buffer, prefix: LengthPrefix): Buffer | undefined {
  const { start, lengthOffset, lengthWidth, lengthOrder } = prefix;
  const head = Buffer.alloc(start.length + lengthOffset + lengthWidth);
  start.copy(head);
  const length = head.length + body.length - uncounted(prefix);
  if (length >= 2 ** (8 * lengthWidth)) return undefined;
  const at = start.length + lengthOffset;
  if (lengthOrder === 'big') head.writeUIntBE(length, at, lengthWidth);
  else head.writeUIntLE(length, at, lengthWidth);
  return Buffer.concat([head, body]);
}
