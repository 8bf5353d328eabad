/** Every framing as a port may be configured with, and what they decode. */

import { Buffer } from 'node:buffer';
import type { CheckOptions } from '../../src/sources/serial/framing/check.ts';
import { createFraming } from '../../src/sources/serial/framing/create-framing.ts';
import type { FrameDecoder, Framing } from '../../src/sources/serial/framing/framing.ts';
import type { FramingOptions } from '../../src/sources/serial/framing/options.ts';

export const CRC32: CheckOptions = { type: 'crc32', place: 'end', order: 'little', form: 'binary' };
const SMALL = { maxFrameBytes: 300 };
const GAP = { ...SMALL, gapMs: 50 };
const NO_START = { start: Buffer.alloc(0) };
const SYNC = { start: Buffer.from('aa55', 'hex') };

export interface FramingCase {
  readonly name: string;
  readonly options: FramingOptions;
  /** Ends what garbage began; undefined: silence does. */
  readonly ends?: Buffer;
  /** Nothing else ends a frame. */
  readonly isEndedBySilence?: boolean;
  /** How long every payload is. */
  readonly length?: number;
  /** Text payloads only. */
  readonly isText?: boolean;
}

function lengthPrefixed(name: string, prefix: object): FramingCase {
  const options = {
    ...GAP,
    ...NO_START,
    kind: 'length-prefixed',
    lengthOffset: 0,
    lengthWidth: 1,
    lengthOrder: 'big',
    lengthCovers: 'rest',
    ...prefix,
  } as const;
  return { name: `length-prefixed, ${name}`, options };
}

export const FRAMINGS: readonly FramingCase[] = [
  { name: 'lines', options: { ...SMALL, kind: 'lines', ending: 'lf' }, ends: Buffer.from('\n'), isText: true },
  {
    name: 'lines in crlf',
    options: { ...SMALL, kind: 'lines', ending: 'crlf' },
    ends: Buffer.from('\r\n'),
    isText: true,
  },
  { name: 'lines in cr', options: { ...SMALL, kind: 'lines', ending: 'cr' }, ends: Buffer.from('\r'), isText: true },
  {
    name: 'delimiter',
    options: { ...SMALL, kind: 'delimiter', delimiter: Buffer.from('##!') },
    ends: Buffer.from('##!'),
    isText: true,
  },
  { name: 'cobs', options: { ...SMALL, kind: 'cobs' }, ends: Buffer.from([0]) },
  { name: 'slip', options: { ...SMALL, kind: 'slip' }, ends: Buffer.from([0xc0]) },
  { name: 'nmea0183', options: { ...SMALL, kind: 'nmea0183' }, ends: Buffer.from('\n'), isText: true },
  { name: 'fixed', options: { ...GAP, ...SYNC, kind: 'fixed', length: 24 }, length: 22 },
  lengthPrefixed('one byte', {}),
  lengthPrefixed('two bytes, big, itself', { lengthWidth: 2, lengthCovers: 'itself' }),
  lengthPrefixed('four bytes, little, all, behind a head', {
    ...SYNC,
    lengthOffset: 3,
    lengthWidth: 4,
    lengthOrder: 'little',
    lengthCovers: 'all',
  }),
  {
    name: 'start-end',
    options: { ...GAP, kind: 'start-end', start: Buffer.from([2]), end: Buffer.from([3]) },
    isText: true,
  },
  {
    name: 'start-end, marks that overlap',
    options: { ...GAP, kind: 'start-end', start: Buffer.from('aa55', 'hex'), end: Buffer.from('55aa', 'hex') },
  },
  {
    name: 'start-end, marks of equal bytes',
    options: { ...GAP, kind: 'start-end', start: Buffer.from('<<'), end: Buffer.from('>>>') },
    isText: true,
  },
  { name: 'inter-byte-timeout', options: { ...GAP, kind: 'inter-byte-timeout' }, isEndedBySilence: true },
];

/** The same with a checksum that noise does not have by chance; what brings its own is left out. */
export const CHECKED: readonly FramingCase[] = [
  ...FRAMINGS.filter(({ options }) => options.kind !== 'nmea0183').map((subject) => checked(subject, 'end')),
  ...FRAMINGS.filter(({ options }) => ['cobs', 'fixed', 'start-end'].includes(options.kind)).map((subject) =>
    checked(subject, 'start'),
  ),
];

function checked({ name, options, length, isText = false, ...rest }: FramingCase, place: CheckOptions['place']) {
  const check: CheckOptions = { ...CRC32, place, form: isText ? 'hex' : 'binary' };
  return {
    ...rest,
    isText,
    name: place === 'end' ? name : `${name}, the checksum before`,
    options: { ...options, check } as FramingOptions,
    ...(length !== undefined && { length: length - (isText ? 8 : 4) }),
  };
}

/** Feeds the pieces, each of them silence apart from the next where nothing else ends a frame. */
export function feed(
  { isEndedBySilence = false }: FramingCase,
  decoder: FrameDecoder,
  pieces: readonly Buffer[],
): void {
  for (const piece of isEndedBySilence ? pieces : [Buffer.concat(pieces)]) {
    decoder.feed(piece);
    if (isEndedBySilence) decoder.gap();
  }
}

export function framingOf({ options }: FramingCase): Framing {
  return createFraming(options);
}
