import type { MetricValue } from '../../core/views.ts';
import { jsonElements } from '../json-elements.ts';
import { isName } from '../name.ts';
import { parseObservedAt } from '../observed-at.ts';
import type { Refusal } from '../refusal.ts';
import { flatten, isFlat } from './flatten.ts';
import { parseJson } from './parse-json.ts';
import {
  type Decode,
  type Decoded,
  type DecodeOptions,
  each,
  one,
  type Reading,
  ReadingBuilder,
  type Refused,
  TIME_KEY,
} from './reading.ts';
import { decodeScalar } from './text.ts';

type ReadingOf = (parsed: unknown, bytes: Uint8Array) => Reading | Refusal;

/** A JSON object of metrics, each a scalar, or an array of such objects. What is stored are its own bytes. */
export function decodeTelemetry(payload: Uint8Array, text: string): Decoded {
  const parsed = parseJson(text);
  return parsed === undefined ? noJson(text) : objects(parsed, payload, flatReading);
}

/**
 * Any JSON object, or an array of them, as foreign firmware sends it: what is nested is flattened. An object that needs
 * no flattening is stored with its own bytes. One scalar is the value of `metric`.
 */
export const decodeJson: Decode = (payload, options) => {
  const text = payload.toString('utf8');
  const parsed = parseJson(text);
  if (options.metric !== null && !(typeof parsed === 'object' && parsed !== null)) {
    return decodeScalar(options.metric, text);
  }
  if (parsed === undefined) return noJson(text);
  return objects(parsed, payload, (object, bytes) => nestedReading(object, bytes, options));
};

/** Why a text that is no JSON is refused. */
export function noJson(text: string): Refused {
  return { refused: text.trim() === '' ? 'empty' : 'invalid_json' };
}

function objects(parsed: unknown, payload: Uint8Array, readingOf: ReadingOf): Decoded {
  if (!Array.isArray(parsed)) return one(readingOf(parsed, payload));
  const elements = parsed.length === 0 ? [] : jsonElements(payload);
  return each(parsed, (element, index) => readingOf(element, elements[index] ?? payload));
}

/** The reading, or why it is none. */
function flatReading(parsed: unknown, value: Uint8Array): Reading | Refusal {
  if (!isObject(parsed)) return 'not_an_object';
  const { [TIME_KEY]: ts, ...metrics } = parsed;
  const observedAt = ts === undefined ? null : parseObservedAt(ts);
  if (observedAt === undefined) return 'bad_ts';
  const names = Object.keys(metrics);
  for (const name of names) {
    const metric = metrics[name];
    if (typeof metric === 'object' && metric !== null) return 'not_scalar';
    else if (typeof metric === 'number' && !Number.isFinite(metric)) return 'out_of_range';
    else if (!isName(name)) return 'bad_metric_name';
  }
  if (names.length === 0) return 'empty';
  return { value, observedAt, metrics: metrics as Record<string, MetricValue>, base: null, units: null };
}

function nestedReading(parsed: unknown, bytes: Uint8Array, options: DecodeOptions): Reading | Refusal {
  if (!isObject(parsed)) return 'not_an_object';
  const builder = new ReadingBuilder(options);
  return flatten(parsed, builder) ?? builder.build(builder.isPlain && isFlat(parsed) ? bytes : null);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
