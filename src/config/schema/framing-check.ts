/** Options of a framing that do not fit together, or with which no frame could ever be good. */

import { Buffer } from 'node:buffer';
import { CHECKSUM_BYTES } from '../../core/checksum-type.ts';
import type { Written } from './options.ts';

export const FRAMINGS = [
  'lines',
  'delimiter',
  'cobs',
  'slip',
  'nmea0183',
  'fixed',
  'length-prefixed',
  'start-end',
  'inter-byte-timeout',
] as const;
type FramingType = (typeof FRAMINGS)[number];

/** Longer frames with a checksum need a beginning: else each byte of noise may begin one, and hold back what follows it. */
const MAX_BLIND_BYTES = 512;

/** Beside `type`, `check` and `maxFrameBytes`. */
const OWN: Readonly<Record<FramingType, readonly string[]>> = {
  lines: ['ending'],
  delimiter: ['delimiter'],
  cobs: [],
  slip: [],
  nmea0183: [],
  fixed: ['start', 'length', 'gap'],
  'length-prefixed': ['start', 'lengthOffset', 'lengthWidth', 'lengthOrder', 'lengthCovers', 'gap'],
  'start-end': ['start', 'end', 'gap'],
  'inter-byte-timeout': ['gap'],
};
const REQUIRED: Readonly<Partial<Record<FramingType, readonly string[]>>> = {
  delimiter: ['delimiter'],
  fixed: ['length'],
  'start-end': ['start', 'end'],
};

type Problem = readonly [option: string, message: string];

export function framingProblems({ type, ...written }: Written): readonly Problem[] {
  const own = OWN[type as FramingType];
  if (own === undefined) return [];
  const problems: Problem[] = [];
  for (const [option, value] of Object.entries(written)) {
    const belongsTo = Object.entries(OWN).filter(([, options]) => options.includes(option));
    if (value === undefined || belongsTo.length === 0 || own.includes(option)) continue;
    problems.push([option, `belongs to ${belongsTo.map(([name]) => name).join(', ')}`]);
  }
  for (const option of REQUIRED[type as FramingType] ?? []) {
    if (written[option] === undefined) problems.push([option, `is required by ${String(type)}`]);
  }
  if (problems.length > 0) return problems;
  return [...valueProblems(String(type), written), ...roomProblems(type as FramingType, written)];
}

function valueProblems(type: string, { check, lengthWidth, gap, start, end }: Written): readonly Problem[] {
  const problems: Problem[] = [];
  if (type === 'nmea0183' && check !== undefined) problems.push(['check', 'does not fit nmea0183, which has its own']);
  if (lengthWidth === 3) problems.push(['lengthWidth', 'must be 1, 2 or 4']);
  if (type === 'inter-byte-timeout' && gap === 0) problems.push(['gap', 'must not be 0ms: nothing else ends a frame']);
  if (type === 'start-end' && Buffer.isBuffer(start) && Buffer.isBuffer(end) && start.equals(end)) {
    problems.push(['end', 'must not be start: nobody could tell which of them is heard']);
  }
  return problems;
}

function roomProblems(type: FramingType, written: Written): readonly Problem[] {
  const { check, start, length, lengthWidth = 1, maxFrameBytes } = written;
  if (typeof maxFrameBytes !== 'number') return [];
  const problems: Problem[] = [];
  const taken = overhead(type, written);
  if (type === 'fixed') {
    if (Number(length) > maxFrameBytes) problems.push(['length', 'is more than maxFrameBytes']);
    if (Number(length) <= taken)
      problems.push(['length', `leaves no byte for a payload: start and checksum take ${taken}`]);
  } else if (maxFrameBytes <= taken) {
    problems.push(['maxFrameBytes', `leaves no byte for a payload: what frames it takes ${taken}`]);
  }
  const longest =
    type === 'fixed' ? Number(length) : type === 'length-prefixed' && lengthWidth !== 1 ? maxFrameBytes : 0;
  if (check !== undefined && start === undefined && longest > MAX_BLIND_BYTES) {
    const rule = `is required with check where frames are longer than ${MAX_BLIND_BYTES}B`;
    problems.push(['start', `${rule}: without it each byte of noise may begin one`]);
  }
  return problems;
}

/** Bytes of a frame that are no payload. */
function overhead(type: FramingType, { ending, delimiter, check, start, end, ...written }: Written): number {
  const { lengthOffset = 0, lengthWidth = 1 } = written;
  const bytes: Readonly<Record<FramingType, number>> = {
    lines: ending === 'crlf' ? 2 : 1,
    delimiter: byteCount(delimiter),
    cobs: 2,
    slip: 1,
    nmea0183: '$*hh\n'.length,
    fixed: byteCount(start),
    'length-prefixed': byteCount(start) + Number(lengthOffset) + Number(lengthWidth),
    'start-end': byteCount(start) + byteCount(end),
    'inter-byte-timeout': 0,
  };
  return bytes[type] + checksumBytes(check);
}

function byteCount(value: unknown): number {
  return Buffer.isBuffer(value) ? value.length : 0;
}

function checksumBytes(check: unknown): number {
  const { type, form } = (check ?? {}) as Written;
  return (CHECKSUM_BYTES[type as keyof typeof CHECKSUM_BYTES] ?? 0) * (form === 'hex' ? 2 : 1);
}
