import type { StructLayout } from '../../core/struct-layout.ts';
import type { TextPattern } from '../../core/text-pattern.ts';
import type { MetricValue } from '../../core/views.ts';
import { isName } from '../name.ts';
import { type LocalZone, parseObservedAt } from '../observed-at.ts';
import type { Refusal } from '../refusal.ts';
import { valueAmongOthers } from './scalar.ts';

/** One telemetry record to be. */
export interface Reading {
  readonly metrics: Readonly<Record<string, MetricValue>>;
  /** UTC milliseconds; null when the message says no time. */
  readonly observedAt: number | null;
  /** The JSON object to store when its bytes are given already; null when it is to be written from the metrics. */
  readonly value: Uint8Array | null;
  /** What the message itself says its device is called (SenML's base name). */
  readonly base: string | null;
  /** Of the metrics that have one. */
  readonly units: Units | null;
}

/** Unit by name of the metric. */
export type Units = Readonly<Record<string, string>>;

/** All readings of a message, at least one, or why there is none. */
export type Decoded = { readonly readings: readonly Reading[] } | Refused;

export interface Refused {
  readonly refused: Refusal;
}

/** What decoders are told; each takes what it knows. */
export interface DecodeOptions {
  /** Name of a payload that is one value; stands before the names of several, with a dot. */
  readonly metric: string | null;
  /** Name, as the payload has it, of the value that is the time of observation. */
  readonly time: string;
  /** Name, as the payload has it, of the value that says whose it is. */
  readonly deviceFrom: string | undefined;
  /** Where times without an offset are at home; null: UTC. */
  readonly zone: LocalZone | null;
  /** The gateway's clock, UTC milliseconds. */
  readonly now: number;
  /** csv and struct: a name for each column, or value. */
  readonly columns: readonly string[];
  /** csv: one character. */
  readonly separator: string;
  /** csv: the decimal separator. */
  readonly decimal: '.' | ',';
  /** regex: its named groups are the metrics. */
  readonly pattern: TextPattern | undefined;
  /** struct. */
  readonly layout: StructLayout | undefined;
  /** senml: whether the base name names the device, and is left out of the metrics' names. */
  readonly baseIsDevice: boolean;
}

/** Pure: never throws, whatever the payload holds. */
export type Decode = (payload: Buffer, options: DecodeOptions) => Decoded;

/** Reserved in a telemetry object: the time of observation. */
export const TIME_KEY = 'ts';
/** Readings that one message may become. */
export const MAX_BATCH = 10_000;
/** Metrics of one reading of a foreign format. */
export const MAX_METRICS = 1_000;
/** Devices whose clock is not set yet count from 1970. */
const CLOCK_IS_SET_FROM = Date.UTC(2000, 0, 1);

type NamingOptions = Pick<DecodeOptions, 'metric' | 'time' | 'deviceFrom' | 'zone' | 'now'>;

/** Gathers the metrics of one reading, within bounds. */
export class ReadingBuilder {
  readonly #options: NamingOptions;
  // Without a prototype every name is only a name, `__proto__` too.
  readonly #metrics: Record<string, MetricValue> = Object.create(null) as Record<string, MetricValue>;
  #units: Record<string, string> | null = null;
  #count = 0;
  #time: MetricValue | undefined;

  constructor(options: NamingOptions) {
    this.#options = options;
  }

  /** Whether the reading is named as the payload has it, `ts` as time included. */
  get isPlain(): boolean {
    const { metric, time } = this.#options;
    return metric === null && (this.#time === undefined || time === TIME_KEY);
  }

  has(name: string): boolean {
    return this.#nameOf(name) in this.#metrics;
  }

  /** The reason to refuse the message, if there is one. */
  add(name: string, value: MetricValue, unit?: string): Refusal | undefined {
    if (typeof value === 'number' && !Number.isFinite(value)) return 'out_of_range';
    if (name === this.#options.time) {
      this.#time = value;
      return undefined;
    }
    const full = this.#nameOf(name);
    if (!isName(full)) return 'bad_metric_name';
    if (full in this.#metrics) return 'duplicate_metric';
    this.#count += 1;
    if (this.#count > MAX_METRICS) return 'too_many_metrics';
    this.#metrics[full] = value;
    if (unit !== undefined) this.#addUnit(full, unit);
    return undefined;
  }

  /** A value that is written as text. The one that says whose it is stays as written: 0017 and 17 are two devices. */
  addText(name: string, text: string, value: MetricValue = valueAmongOthers(text)): Refusal | undefined {
    return this.add(name, name === this.#options.deviceFrom && value !== null ? text : value);
  }

  /** `value`: the bytes to store, where the payload is such an object. Of nothing but a time comes no reading. */
  build(value: Uint8Array | null = null): Reading | Refusal {
    const observedAt = this.#observedAt();
    if (observedAt === undefined) return 'bad_ts';
    return this.#count === 0 ? 'empty' : this.#reading(observedAt, value);
  }

  #reading(observedAt: number | null, value: Uint8Array | null): Reading {
    return { metrics: this.#metrics, observedAt, value, base: null, units: this.#units };
  }

  #addUnit(name: string, unit: string): void {
    this.#units ??= Object.create(null) as Record<string, string>;
    this.#units[name] = unit;
  }

  #nameOf(name: string): string {
    const { metric } = this.#options;
    return metric === null ? name : `${metric}.${name}`;
  }

  #observedAt(): number | null | undefined {
    const time = this.#time ?? null;
    if (time === null || time === '') return null;
    const { zone, now } = this.#options;
    const observedAt = parseObservedAt(time, zone === null ? undefined : { zone, now });
    return observedAt === undefined ? undefined : believed(observedAt);
  }
}

/** Null for the time of a clock that is not set. */
export function believed(observedAt: number): number | null {
  return observedAt < CLOCK_IS_SET_FROM ? null : observedAt;
}

export function one(reading: Reading | Refusal): Decoded {
  return typeof reading === 'string' ? { refused: reading } : { readings: [reading] };
}

/** One reading of each, all good or none taken. */
export function each<T>(items: readonly T[], readingOf: (item: T, index: number) => Reading | Refusal): Decoded {
  if (items.length === 0) return { refused: 'empty' };
  if (items.length > MAX_BATCH) return { refused: 'too_many_in_batch' };
  const readings: Reading[] = [];
  for (const [index, item] of items.entries()) {
    const reading = readingOf(item, index);
    if (typeof reading === 'string') return { refused: reading };
    readings.push(reading);
  }
  return { readings };
}
