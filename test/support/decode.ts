import { Buffer } from 'node:buffer';
import type { Format } from '../../src/core/format.ts';
import type { MetricValue } from '../../src/core/views.ts';
import { decodeFormat } from '../../src/ingest/formats/decode-format.ts';
import type { Decoded, DecodeOptions } from '../../src/ingest/formats/reading.ts';

export const NOW = Date.UTC(2026, 5, 1, 12);

export function decodeOptions(changes: Partial<DecodeOptions> = {}): DecodeOptions {
  return {
    metric: null,
    time: 'ts',
    deviceFrom: undefined,
    zone: null,
    now: NOW,
    columns: [],
    separator: ',',
    decimal: '.',
    pattern: undefined,
    layout: undefined,
    baseIsDevice: false,
    ...changes,
  };
}

export function decoded(format: Format, payload: string | Uint8Array, changes: Partial<DecodeOptions> = {}): Decoded {
  return decodeFormat(format, Buffer.from(payload), decodeOptions(changes));
}

export interface PlainReading {
  readonly metrics: Readonly<Record<string, MetricValue>>;
  readonly observedAt: number | null;
}

/** Metrics and time of every reading. @throws Error when the payload is refused */
export function readings(
  format: Format,
  payload: string | Uint8Array,
  changes: Partial<DecodeOptions> = {},
): readonly PlainReading[] {
  const result = decoded(format, payload, changes);
  if ('refused' in result) throw new Error(`refused: ${result.refused}`);
  return result.readings.map(({ metrics, observedAt }) => ({ metrics: { ...metrics }, observedAt }));
}

/** Metrics of the only reading. */
export function metrics(
  format: Format,
  payload: string | Uint8Array,
  changes: Partial<DecodeOptions> = {},
): Readonly<Record<string, MetricValue>> {
  const [reading, ...more] = readings(format, payload, changes);
  if (reading === undefined || more.length > 0) throw new Error('not exactly one reading');
  return reading.metrics;
}
