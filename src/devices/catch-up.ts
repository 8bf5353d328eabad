import { setImmediate as turn } from 'node:timers/promises';
import type { Batch, ReadLimit } from '../core/lane-log.ts';
import type { Seq, StoredRecord } from '../core/record.ts';
import type { Stream } from '../core/stream.ts';
import type { MetricValue, Observation } from '../core/views.ts';

/** One short read of the log, away from this thread. */
export type ReadRecords = (stream: Stream, after: Seq, limit: ReadLimit) => Promise<Batch>;

export interface CatchUpOptions {
  readonly read: ReadRecords;
  readonly after: Seq;
  /** From here on records are observed as they come. Asked again before each read. */
  before(): Seq;
  observe(observations: readonly Observation[]): void;
  readonly signal: AbortSignal;
}

/** `gaps` are made by the gateway and say nothing about a device. */
const STREAMS_OF_DEVICES: readonly Stream[] = ['telemetry', 'events', 'state', 'responses'];
/** Few enough that the thread stays free for everything else. */
const LIMIT: ReadLimit = { maxRecords: 200, maxBytes: 256 * 1024 };

/** Observes what the log holds behind `after`. Rejects when the log cannot be read. */
export async function catchUp(options: CatchUpOptions): Promise<void> {
  for (const stream of STREAMS_OF_DEVICES) {
    let after = options.after;
    while (!options.signal.aborted && after + 1 < options.before()) {
      const { records, upTo } = await options.read(stream, after, LIMIT);
      if (upTo === after || options.signal.aborted) break;
      options.observe(records.filter(isFirst).map(observationOf));
      after = upTo;
      await turn();
    }
  }
}

/** What is tried again was observed when it came. */
function isFirst({ retryOf }: StoredRecord): boolean {
  return retryOf === undefined;
}

function observationOf(record: StoredRecord): Observation {
  const { device, seq, receivedAt, observedAt } = record;
  return { device, seq, receivedAt, observedAt, metrics: record.stream === 'telemetry' ? metricsOf(record) : null };
}

/** The scalar members of a stored telemetry record; `ts` is its time of observation, not a metric. */
function metricsOf({ value }: StoredRecord): Record<string, MetricValue> | null {
  const parsed = parseJson(value);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return null;
  const metrics: Record<string, MetricValue> = Object.create(null) as Record<string, MetricValue>;
  for (const [name, member] of Object.entries(parsed)) {
    if (name !== 'ts' && isMetricValue(member)) metrics[name] = member;
  }
  return metrics;
}

function parseJson(value: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('utf8'));
  } catch {
    return undefined;
  }
}

function isMetricValue(value: unknown): value is MetricValue {
  return value === null || typeof value === 'number' || typeof value === 'string' || typeof value === 'boolean';
}
