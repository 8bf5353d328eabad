import { Buffer } from 'node:buffer';
import type { MetricValue } from '../core/views.ts';
import { jsonElements } from './json-elements.ts';
import { parseObservedAt } from './observed-at.ts';
import { isName } from './topic.ts';

/** One telemetry record to be: the bytes to store, and what is known of them. */
export interface Reading {
  readonly value: Uint8Array;
  readonly observedAt: number | null;
  readonly metrics: Readonly<Record<string, MetricValue>>;
}

export type Decoded = { readonly readings: readonly Reading[] } | { readonly refused: string };

/** Reserved in a telemetry object: the time of observation. */
const TIME_KEY = 'ts';
const MAX_BATCH = 10_000;
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
/** No two parts that match the same digits: a long row of them must not be tried in every division. */
const LOOSE_NUMBER = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;
const NOT_A_NUMBER = /^[+-]?nan$/i;
const INFINITE = /^[+-]?inf(?:inity)?$/i;

/** A JSON object of metrics, or an array of such objects: one reading each, all good or none taken. */
export function decodeTelemetry(payload: Uint8Array, text: string): Decoded {
  const parsed = parseJson(text);
  if (parsed === undefined) return noJson(text);
  if (!Array.isArray(parsed)) return one(readingOf(parsed, payload));
  if (parsed.length === 0) return { refused: 'empty' };
  if (parsed.length > MAX_BATCH) return { refused: 'too_many_in_batch' };
  const readings: Reading[] = [];
  const elements = jsonElements(payload);
  for (const [i, element] of parsed.entries()) {
    const reading = readingOf(element, elements[i] ?? payload);
    if (typeof reading === 'string') return { refused: reading };
    readings.push(reading);
  }
  return { readings };
}

/** One scalar, as JSON or as the text that a sketch prints: `21.5`, `on`, `true`. */
export function decodeMetric(metric: string, text: string): Decoded {
  if (metric === TIME_KEY) return { refused: 'bad_metric_name' };
  const trimmed = text.trim();
  if (trimmed === '') return { refused: 'empty' };
  if (NOT_A_NUMBER.test(trimmed)) return { refused: 'nan' };
  if (INFINITE.test(trimmed)) return { refused: 'inf' };
  const scalar = scalarOf(trimmed);
  if (scalar === undefined) return { refused: 'not_scalar' };
  if (typeof scalar.value === 'number' && !Number.isFinite(scalar.value)) return { refused: 'out_of_range' };
  const json = `{${JSON.stringify(metric)}:${scalar.json}}`;
  return { readings: [{ value: Buffer.from(json), observedAt: null, metrics: { [metric]: scalar.value } }] };
}

function one(reading: Reading | string): Decoded {
  return typeof reading === 'string' ? { refused: reading } : { readings: [reading] };
}

/** The reading, or why it is none. */
function readingOf(parsed: unknown, value: Uint8Array): Reading | string {
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return 'not_an_object';
  const { [TIME_KEY]: ts, ...metrics } = parsed as Record<string, unknown>;
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
  return { value, observedAt, metrics: metrics as Record<string, MetricValue> };
}

/** A device that prints half an object means JSON: that is no text. */
function looksLikeJson(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[');
}

function scalarOf(text: string): { json: string; value: MetricValue } | undefined {
  if (JSON_NUMBER.test(text)) return { json: text, value: Number(text) };
  if (LOOSE_NUMBER.test(text)) return { json: String(Number(text)), value: Number(text) };
  const parsed = parseJson(text);
  if (parsed === undefined) return looksLikeJson(text) ? undefined : { json: JSON.stringify(text), value: text };
  if (typeof parsed === 'object' && parsed !== null) return undefined;
  return { json: text, value: parsed as MetricValue };
}

/** Why a text that is no JSON is refused. */
export function noJson(text: string): { readonly refused: string } {
  return { refused: text.trim() === '' ? 'empty' : 'invalid_json' };
}

export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
