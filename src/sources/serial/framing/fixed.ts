import { Buffer } from 'node:buffer';
import type { Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { ScanFraming } from './scan-framing.ts';

/** Frames of `length` bytes, `start` and checksum included. Without both of these only silence tells where one begins. */
export function fixed({ length, ...options }: OptionsOf<'fixed'>): Framing {
  const { start } = options;
  return new ScanFraming({
    ...options,
    extent: () => ({ kind: 'whole', byteCount: length, from: start.length, to: length }),
    wrap: (body) => Buffer.concat([start, body]),
  });
}
