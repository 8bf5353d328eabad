/**
 * The kinds of options. Each call is the whole truth about one option: its check, its default as a person writes it,
 * what it means. Validation, the JSON Schema, the example file and the documentation are made from these.
 */

import { Buffer } from 'node:buffer';
import { z } from 'zod';
import { DURATION_PATTERN, parseDuration, parseSize, SIZE_PATTERN } from '../units.ts';

/** What the documentation shows beside the description. `x-type` is ready to print. */
type About = {
  readonly description: string;
  readonly 'x-type': string;
  readonly 'x-sample'?: unknown;
};

interface Span<T> {
  readonly min: T;
  readonly max: T;
}

/** Milliseconds, written `30s`. */
export function duration(byDefault: string, description: string, span: Span<string>) {
  const example = '500ms, 30s, 5m, 2h or 7d';
  return quantity({ parse: parseDuration, pattern: DURATION_PATTERN, kind: 'a duration', example }, span)
    .prefault(byDefault)
    .meta({ description, 'x-type': `duration, ${span.min} to ${span.max}` } satisfies About);
}

/** Bytes, written `64KiB`. */
export function size(byDefault: string, description: string, span: Span<string>) {
  const example = '512B, 64KiB, 8MiB or 2GiB';
  return quantity({ parse: parseSize, pattern: SIZE_PATTERN, kind: 'a size', example }, span)
    .prefault(byDefault)
    .meta({ description, 'x-type': `size, ${span.min} to ${span.max}` } satisfies About);
}

interface Quantity {
  readonly parse: (text: string) => number | undefined;
  readonly pattern: RegExp;
  readonly kind: string;
  readonly example: string;
}

function quantity({ parse, pattern, kind, example }: Quantity, span: Span<string>) {
  const message = `must be ${kind} such as ${example}`;
  const min = parse(span.min) ?? 0;
  const max = parse(span.max) ?? Number.MAX_SAFE_INTEGER;
  return z
    .string({ error: message })
    .regex(pattern, message)
    .transform((text, context) => {
      const value = parse(text);
      if (value !== undefined && value >= min && value <= max) return value;
      context.addIssue({ code: 'custom', message: `must be from ${span.min} to ${span.max}` });
      return z.NEVER;
    });
}

const GROUPED = new Intl.NumberFormat('en-US');

interface Count extends Span<number> {
  readonly unit?: string;
}

export function count(byDefault: number, description: string, options: Count) {
  return wholeNumber(options).prefault(byDefault).meta(countAbout(description, options));
}

/** A whole number. Text that is one counts, so that a variable can hold it. */
export function wholeNumber({ min, max }: Span<number>) {
  return z.preprocess(
    (value) => (typeof value === 'string' && /^-?\d+$/.test(value) ? Number(value) : value),
    z.int().min(min).max(max),
  );
}

/** What the documentation says of a whole number. */
export function countAbout(description: string, { min, max, unit }: Count): About {
  return {
    description,
    'x-type': `whole number${unit === undefined ? '' : ` (${unit})`}, ${GROUPED.format(min)} to ${GROUPED.format(max)}`,
  };
}

/** A part of a whole, above 0 and up to 1. Text that is such a number counts, so that a variable can hold it. */
export function share(byDefault: number, description: string, { min }: { readonly min: number }) {
  return z
    .preprocess(
      (value) => (typeof value === 'string' && /^[01](?:\.\d{1,6})?$/.test(value) ? Number(value) : value),
      z
        .number({ error: (issue) => (issue.code === 'invalid_type' ? `must be a number from ${min} to 1` : undefined) })
        .min(min)
        .max(1),
    )
    .prefault(byDefault)
    .meta({ description, 'x-type': `number, ${min} to 1` } satisfies About);
}

/** `true` or `false`. Text that says so counts, so that a variable can hold it. */
export function flag() {
  return z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean());
}

/** What the documentation says of a flag. */
export function flagAbout(description: string): About {
  return { description, 'x-type': '`true` or `false`' };
}

/** What the documentation says is allowed. */
export function oneOf(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(' or ');
}

export function choice<const T extends string>(
  values: readonly [T, ...T[]],
  byDefault: NoInfer<T>,
  description: string,
) {
  return z
    .enum(values)
    .prefault(byDefault)
    .meta({ description, 'x-type': oneOf(values) } satisfies About);
}

/** One whose default depends on others, or is said in the description. */
export function optionalChoice<const T extends string>(values: readonly [T, ...T[]], description: string) {
  return z
    .enum(values)
    .optional()
    .meta({ description, 'x-type': oneOf(values) } satisfies About);
}

export interface TextRule {
  readonly pattern: RegExp;
  /** Completes "must be …". */
  readonly rule: string;
}

export function text({ pattern, rule }: TextRule) {
  const error = ({ input }: { readonly input: unknown }) =>
    `${input === undefined ? 'is required' : 'must be text'}: ${rule}`;
  return z.string({ error }).regex(pattern, `must be ${rule}`);
}

const HEX = /^0x(?:[\da-f]{2})+$/i;

/** The bytes that an option stands for: those of its text, or those written `0x0d0a`. */
export function bytesOf(written: string): Buffer {
  return HEX.test(written) ? Buffer.from(written.slice(2), 'hex') : Buffer.from(written);
}

/** A few bytes, as text or in hexadecimal. */
export function bytes(description: string) {
  const rule = 'text, or bytes such as 0x0d0a';
  return z
    .string({ error: 'must be in quotes: "text", or bytes such as "0x0d0a"' })
    .min(1, 'must not be empty')
    .max(64, 'must be at most 64 characters')
    .transform(bytesOf)
    .meta({ description, 'x-type': rule } satisfies About);
}

/** A path of the file system. Relative ones count from the configuration file's directory. */
export function path() {
  return text({ pattern: /^[^\0~][^\0]{0,1023}$/, rule: 'a path of 1 to 1,024 characters (~ is not replaced)' });
}

/** A mapping with exactly these options. */
export function section<Shape extends z.core.$ZodShape>(shape: Shape) {
  // For unknown keys the message is the known ones, from which problems.ts picks the nearest.
  const known = Object.keys(shape).join(' ');
  return z.strictObject(shape, { error: (issue) => (issue.code === 'unrecognized_keys' ? known : undefined) });
}

/** What a file says of a mapping; anything may stand anywhere for a check that runs beside all others. */
export type Written = Readonly<Record<string, unknown>>;

/** Runs a check of a mapping although what is in it is wrong too: everything is said at once. */
export const ANY_MAPPING = {
  when: ({ value }: { readonly value: unknown }) => typeof value === 'object' && value !== null,
};

/** The same of a list. */
export const ANY_LIST = { when: ({ value }: { readonly value: unknown }) => Array.isArray(value) };
