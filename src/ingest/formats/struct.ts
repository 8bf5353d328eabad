import { Buffer, isUtf8 } from 'node:buffer';
import type { StructValue } from '../../core/struct-layout.ts';
import type { MetricValue } from '../../core/views.ts';
import type { Refusal } from '../refusal.ts';
import { SKIPPED } from './csv.ts';
import { type Decode, type DecodeOptions, one, type Reading, ReadingBuilder } from './reading.ts';

/** One reading: values behind each other, as `layout` has them, named by `columns`. */
export const decodeStruct: Decode = (payload, options) => one(readingOf(payload, options));

function readingOf(payload: Buffer, options: DecodeOptions): Reading | Refusal {
  const { layout, columns } = options;
  if (payload.length === 0) return 'empty';
  if (layout === undefined || payload.length !== layout.byteCount) return 'wrong_length';
  const builder = new ReadingBuilder(options);
  for (const [index, value] of layout.read(payload).entries()) {
    const name = columns[index] ?? SKIPPED;
    if (name === SKIPPED) continue;
    const metric = metricOf(value);
    if (metric === undefined) return 'not_utf8';
    const refused = builder.add(name, metric);
    if (refused !== undefined) return refused;
  }
  return builder.build();
}

/** Text ends at its first zero. A number that is none, or infinite, is a value that there is none of. */
function metricOf(value: StructValue): MetricValue | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (!Buffer.isBuffer(value)) return value;
  const end = value.indexOf(0);
  const text = value.subarray(0, end === -1 ? value.length : end);
  return isUtf8(text) ? text.toString('utf8') : undefined;
}
