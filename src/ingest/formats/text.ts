import { Buffer } from 'node:buffer';
import type { MetricValue } from '../../core/views.ts';
import { parseJson } from './parse-json.ts';
import { type Decode, type Decoded, TIME_KEY } from './reading.ts';
import { noValue, numberOf, type Scalar } from './scalar.ts';

/** One value: the payload is that of `metric`. */
export const decodeText: Decode = (payload, { metric }) => decodeScalar(metric ?? '', payload.toString('utf8'));

/** One scalar, as JSON or as the text that a sketch prints: `21.5`, `on`, `true`. */
export function decodeScalar(metric: string, text: string): Decoded {
  if (metric === TIME_KEY) return { refused: 'bad_metric_name' };
  const trimmed = text.trim();
  const reason = noValue(trimmed);
  if (reason !== undefined) return { refused: reason };
  const scalar = scalarOf(trimmed);
  if (scalar === undefined) return { refused: 'not_scalar' };
  if (typeof scalar.value === 'number' && !Number.isFinite(scalar.value)) return { refused: 'out_of_range' };
  const value = Buffer.from(`{${JSON.stringify(metric)}:${scalar.json}}`);
  return { readings: [{ value, observedAt: null, metrics: { [metric]: scalar.value }, base: null, units: null }] };
}

function scalarOf(text: string): Scalar | undefined {
  const number = numberOf(text);
  if (number !== undefined) return number;
  const parsed = parseJson(text);
  if (parsed === undefined) return looksLikeJson(text) ? undefined : { json: JSON.stringify(text), value: text };
  if (typeof parsed === 'object' && parsed !== null) return undefined;
  return { json: text, value: parsed as MetricValue };
}

/** A device that prints half an object means JSON: that is no text. */
function looksLikeJson(text: string): boolean {
  return text.startsWith('{') || text.startsWith('[');
}
