import type { MetricValue } from '../../core/views.ts';
import type { Refusal } from '../refusal.ts';

const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** No two parts that match the same digits: a long row of them must not be tried in every division. */
const LOOSE_NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_A_NUMBER = /^[+-]?nan$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** A value, and how JSON writes it: the device's own digits where JSON takes them. */
export interface Scalar {
  readonly value: MetricValue;
  readonly json: string;
}

/** Why a trimmed text cannot be a metric's only value, if it cannot. */
export function noValue(text: string): Refusal | undefined {
  if (text === '') return 'empty';
  if (NOT_A_NUMBER.test(text)) return 'nan';
  return INFINITE.test(text) ? 'inf' : undefined;
}

/** The number, however a sketch prints it; undefined when the text is none. */
export function numberOf(text: string): Scalar | undefined {
  if (JSON_NUMBER.test(text)) return { json: text, value: Number(text) };
  if (LOOSE_NUMBER.test(text)) return { json: String(Number(text)), value: Number(text) };
  return undefined;
}

/** One value among several, as text. Empty, `nan` and `inf` are values that there are none of. */
export function valueAmongOthers(text: string): MetricValue {
  // Most are numbers.
  const number = numberOf(text);
  if (number !== undefined) return number.value;
  if (noValue(text) !== undefined) return null;
  return text === 'true' ? true : text === 'false' ? false : text;
}
