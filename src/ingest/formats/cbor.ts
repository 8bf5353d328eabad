import { Buffer, isUtf8 } from 'node:buffer';
import { type DecodeOptions as CborOptions, decode, Tokenizer } from 'cborg';
import type { Refusal } from '../refusal.ts';
import { flatten } from './flatten.ts';
import { type Decode, type DecodeOptions, each, one, type Reading, ReadingBuilder, type Refused } from './reading.ts';

/** Levels of nesting that are read at all: the library goes down by recursion. */
const MAX_LEVELS = 64;

/**
 * A map (RFC 8949), or an array of maps, flattened like JSON: keys that are numbers become text, byte strings base64.
 * One scalar is the value of `metric`.
 */
export const decodeCbor: Decode = (payload, options) => {
  if (payload.length === 0) return { refused: 'empty' };
  const cbor = parseCbor(payload, 'base64');
  if ('refused' in cbor) return cbor;
  const { parsed } = cbor;
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

/** How byte strings are written as text. */
type BytesAs = 'base64' | 'base64url';

/** The value, made of what JSON has; refused when the bytes are no CBOR, or hold what JSON has no word for. */
export function parseCbor(payload: Uint8Array, bytesAs: BytesAs): { readonly parsed: unknown } | Refused {
  const walk = { bytesAs, isDoubtful: false };
  try {
    const parsed = plain(decode(payload, CBOR), walk, 0);
    return walk.isDoubtful && !hasGoodText(payload) ? { refused: 'not_utf8' } : { parsed };
  } catch {
    return { refused: 'invalid_cbor' };
  }
}

const CBOR: CborOptions = {
  allowIndefinite: true,
  allowUndefined: true,
  allowBigInt: true,
  useMaps: true,
  rejectDuplicateMapKeys: true,
  coerceUndefinedToNull: true,
  // Times as text and as number, and the mark of CBOR itself (RFC 8949 §3.4).
  tags: { 0: (content) => content(), 1: (content) => content(), 55799: (content) => content() },
};
/** What the library puts in the place of bytes that are no UTF-8; a device may send it too. */
const REPLACEMENT = '\ufffd';

interface Walk {
  readonly bytesAs: BytesAs;
  /** There is a text with a replacement in it. */
  isDoubtful: boolean;
}

function plain(value: unknown, walk: Walk, level: number): unknown {
  if (level > MAX_LEVELS) throw new RangeError('too deep');
  if (typeof value === 'string') return looked(value, walk);
  if (typeof value === 'bigint') return Number(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString(walk.bytesAs);
  if (Array.isArray(value)) return value.map((element) => plain(element, walk, level + 1));
  if (!(value instanceof Map)) return value;
  const members = Object.create(null) as Record<string, unknown>;
  for (const [key, member] of value) {
    const name = looked(keyOf(key), walk);
    // Of 1 and "1" one would be lost.
    if (name in members) throw new TypeError('two keys of one name');
    members[name] = plain(member, walk, level + 1);
  }
  return members;
}

function looked(text: string, walk: Walk): string {
  walk.isDoubtful ||= text.includes(REPLACEMENT);
  return text;
}

function hasGoodText(payload: Uint8Array): boolean {
  const tokenizer = new Tokenizer(payload, { ...CBOR, retainStringBytes: true });
  while (!tokenizer.done()) {
    const { byteValue } = tokenizer.next();
    if (byteValue !== undefined && !isUtf8(byteValue)) return false;
  }
  return true;
}

function keyOf(key: unknown): string {
  if (typeof key === 'string' || typeof key === 'number' || typeof key === 'bigint') return String(key);
  throw new TypeError('no name');
}
