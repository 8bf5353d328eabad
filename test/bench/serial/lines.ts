/** The devices of the benchmark, what they send, and what of it is to be in the store. */

import { Buffer } from 'node:buffer';
import { encode } from 'cborg';
import { createFraming } from '../../../src/sources/serial/framing/create-framing.ts';
import type { Framing } from '../../../src/sources/serial/framing/framing.ts';

export const LINE_KINDS = ['sketches', 'logger'] as const;
export type LineKind = (typeof LINE_KINDS)[number];

export interface Line {
  readonly kind: LineKind;
  readonly name: string;
  readonly bytesPerS: number;
  /** What its adapter hands over at once. */
  readonly pieceBytes: number;
  readonly framing: Framing;
  /** The payload of a frame. */
  payload(number: number): Buffer;
  /** What its record holds. */
  stored(number: number): string;
  /** Its port in the configuration, but for name and path. */
  readonly config: Readonly<Record<string, unknown>>;
}

const SLOW_PORTS = 16;
const MAX_FRAME_BYTES = 4096;
const CRC16 = { type: 'crc16-ccitt', place: 'end', order: 'big', form: 'hex' } as const;
const CRC32 = { type: 'crc32', place: 'end', order: 'little', form: 'binary' } as const;
/** Samples of one frame of the fast line, 16 bits each. */
const SAMPLES = 480;

export function benchLines(): readonly Line[] {
  return [...Array.from({ length: SLOW_PORTS }, (_, index) => sketch(`sketch-${index + 1}`)), logger('logger')];
}

/** 115,200 baud: a line of JSON with a checksum in digits, 95 bytes or so, over an adapter of 64-byte packets. */
function sketch(name: string): Line {
  const text = (number: number): string =>
    JSON.stringify({
      n: number,
      temperature: 15 + (number % 1000) / 100,
      humidity: 40 + (number % 300) / 10,
      pressure: 980 + (number % 500) / 10,
      open: number % 2 === 0,
    });
  return {
    kind: 'sketches',
    name,
    bytesPerS: 11_520,
    pieceBytes: 62,
    framing: createFraming({ kind: 'lines', ending: 'lf', maxFrameBytes: MAX_FRAME_BYTES, check: CRC16 }),
    payload: (number) => Buffer.from(text(number)),
    stored: text,
    config: { framing: { type: 'lines', check: { type: 'crc16-ccitt', form: 'hex' } } },
  };
}

/** 1 MB/s: blocks of samples with a few values beside them, 1,000 bytes or so, over high-speed USB. */
function logger(name: string): Line {
  const samples = (number: number): Buffer =>
    Buffer.from(Uint16Array.from({ length: SAMPLES }, (_, index) => (number * 31 + index * index) & 0xfff).buffer);
  const metrics = (number: number) => ({ n: number, gain: 1 + (number % 8), rate: 500_000 });
  return {
    kind: 'logger',
    name,
    bytesPerS: 1_000_000,
    pieceBytes: 512,
    framing: createFraming({ kind: 'cobs', maxFrameBytes: MAX_FRAME_BYTES, check: CRC32 }),
    payload: (number) => Buffer.from(encode({ ...metrics(number), samples: samples(number) })),
    stored: (number) => JSON.stringify({ ...metrics(number), samples: samples(number).toString('base64') }),
    config: {
      framing: { type: 'cobs', check: { type: 'crc32', order: 'little' }, maxFrameBytes: '4KiB' },
      format: 'cbor',
    },
  };
}

export interface SentBytes {
  readonly bytes: Buffer;
  /** Where each frame begins. */
  readonly beginnings: readonly number[];
}

/** All that the line carries in so many seconds, whole frames. */
export function sentBytes({ framing, payload, bytesPerS }: Line, seconds: number): SentBytes {
  const frames: Buffer[] = [];
  const beginnings: number[] = [];
  for (let length = 0; length < bytesPerS * seconds; ) {
    const frame = framing.encode(payload(frames.length + 1));
    if (frame === undefined) throw new Error('a frame that cannot be');
    frames.push(frame);
    beginnings.push(length);
    length += frame.length;
  }
  return { bytes: Buffer.concat(frames), beginnings };
}

/**
 * Numbers, from 1, of the frames that were sent as a whole between two places on the line. The first one that begins there is
 * left out: the end of the one before may have been lost, and it with that. So is the last one on the line.
 */
export function wholeFrames(beginnings: readonly number[], from: number, to: number): { first: number; last: number } {
  const first = beginnings.findIndex((at) => at >= from) + 2;
  const next = beginnings.findIndex((at) => at > to);
  return { first, last: (next === -1 ? beginnings.length : next) - 1 };
}
