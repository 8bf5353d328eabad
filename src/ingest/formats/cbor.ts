import { Buffer } from 'node:buffer';
import { type DecodeOptions as CborOptions, decode } from 'cborg';
import type { Refusal } from '../refusal.ts';
import { flatten } from './flatten.ts';
import { type Decode, type DecodeOptions, each, one, type Reading, ReadingBuilder } from './reading.ts';

/** Levels of nesting that are read at all: the library goes down by recursion. */
const MAX_LEVELS = 64;

/**
 * A map (RFC 8949), or an array of maps, flattened like JSON: keys that are numbers become text, byte strings base64.
 * One scalar is the value of `metric`.
 */
export const decodeCbor: Decode = (payload, options) => {
  if (payload.length === 0) return { refused: 'empty' };
  const parsed = parseCbor(payload);
  if (parsed === undefined) return { refused: 'invalid_cbor' };
  if (Array.isArray(parsed)) return each(parsed, (element) => readingOf(element, options));
  if (options.metric === null || (typeof parsed === 'object' && parsed !== null))
    return one(readingOf(parsed, options));
  const builder = new ReadingBuilder({ ...options, metric: null, time: '' });
  return one(builder.add(options.metric, parsed as string) ?? builder.build());
};

function readingOf(parsed: unknown, options: DecodeOptions): Reading | Refusal {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'not_an_object';
  const builder = new ReadingBuilder(options);
  return flatten(parsed, builder) ?? builder.build();
}

/** The value, made of what JSON has; undefined when the bytes are no CBOR, or hold what JSON has no word for. */
export function parseCbor(payload: Uint8Array): unknown {
  try {
    return plain(decode(payload, CBOR), 0);
  } catch {
    return undefined;
  }
}

const CBOR: CborOptions = {
  useMaps: true,
  rejectDuplicateMapKeys: true,
  coerceUndefinedToNull: true,
  // Times as text and as number, and the mark of CBOR itself (RFC 8949 §3.4).
  tags: { 0: (content) => content(), 1: (content) => content(), 55799: (content) => content() },
};

function plain(value: unknown, level: number): unknown {
  if (level > MAX_LEVELS) throw new RangeError('too deep');
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64');
  if (Array.isArray(value)) return value.map((element) => plain(element, level + 1));
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([key, member]) => [keyOf(key), plain(member, level + 1)]));
}

function keyOf(key: unknown): string {
  if (typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint') return String(key);
  throw new TypeError('no name');
}
