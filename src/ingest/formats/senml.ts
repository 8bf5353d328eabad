import { type Buffer, isUtf8 } from 'node:buffer';
import type { MetricValue } from '../../core/views.ts';
import type { Refusal } from '../refusal.ts';
import { parseCbor } from './cbor.ts';
import { noJson } from './json.ts';
import { parseJson } from './parse-json.ts';
import {
  believed,
  type Decode,
  type Decoded,
  type DecodeOptions,
  MAX_BATCH,
  type Reading,
  ReadingBuilder,
  type Refused,
} from './reading.ts';
import { isSensorRecord, type SensorRecord, sensorRecord } from './senml-record.ts';

const JSON_ARRAY = 0x5b;
const BLANK = /^[\s]$/;
/** Smaller times are seconds from now (RFC 8428 §4.5.3). */
const ABSOLUTE_FROM_S = 2 ** 28;
const VERSION = 10;
const NAME = /^[A-Za-z0-9][A-Za-z0-9\-:./_]*$/;
const LATEST_MS = Date.UTC(9999, 11, 31);
/** Name of a value that is called as its device is. */
const UNNAMED = 'value';

/** A SenML pack (RFC 8428), in JSON or CBOR. Values of the same time, one after the other, are one reading. */
export const decodeSenml: Decode = (payload, options) => {
  const pack = isJson(payload) ? parsedJson(payload) : parseCbor(payload, 'base64url');
  if ('refused' in pack) return pack.refused === 'invalid_cbor' ? { refused: 'invalid_senml' } : pack;
  return decodePack(pack.parsed, options);
};

function parsedJson(payload: Buffer): { readonly parsed: unknown } | Refused {
  if (!isUtf8(payload)) return { refused: 'not_utf8' };
  const text = payload.toString('utf8');
  const parsed = parseJson(text);
  return parsed === undefined ? noJson(text) : { parsed };
}

function decodePack(parsed: unknown, options: DecodeOptions): Decoded {
  if (!Array.isArray(parsed) || !parsed.every(isSensorRecord)) return { refused: 'invalid_senml' };
  if (parsed.length > MAX_BATCH) return { refused: 'too_many_in_batch' };
  const pack = new Pack(options);
  for (const record of parsed) {
    const refused = pack.add(sensorRecord(record));
    if (refused !== undefined) return { refused };
  }
  const refused = pack.finish();
  if (refused !== undefined) return { refused };
  return pack.readings.length === 0 ? { refused: 'empty' } : { readings: pack.readings };
}

/** A CBOR pack is an array, which no byte of JSON is. */
function isJson(payload: Buffer): boolean {
  let at = 0;
  while (BLANK.test(String.fromCharCode(payload[at] ?? 0))) at += 1;
  return at === payload.length || payload[at] === JSON_ARRAY;
}

/** Base fields hold from their record on (RFC 8428 §4.6). */
interface Base {
  readonly name: string;
  readonly time: number;
  readonly value: number | undefined;
  readonly sum: number | undefined;
  readonly unit: string | undefined;
}

class Pack {
  readonly readings: Reading[] = [];
  readonly #options: DecodeOptions;
  #base: Base = { name: '', time: 0, value: undefined, sum: undefined, unit: undefined };
  #builder: ReadingBuilder;
  /** Of the reading that is gathered. */
  #at: { readonly time: number; readonly base: string } | undefined;

  constructor(options: DecodeOptions) {
    // Times stand in fields of their own: no name is reserved.
    this.#options = { ...options, time: '' };
    this.#builder = new ReadingBuilder(this.#options);
  }

  /** The reason to refuse the pack, if there is one. */
  add(record: SensorRecord): Refusal | undefined {
    if (record.mustUnderstand || (record.bver ?? VERSION) > VERSION) return 'senml_not_understood';
    const base = {
      name: record.bn ?? this.#base.name,
      time: record.bt ?? this.#base.time,
      value: record.bv ?? this.#base.value,
      sum: record.bs ?? this.#base.sum,
      unit: record.bu ?? this.#base.unit,
    };
    this.#base = base;
    const value = valueIn(record, base);
    const sum = record.s === undefined && base.sum === undefined ? undefined : (record.s ?? 0) + (base.sum ?? 0);
    const hasNone = value === undefined && record.s === undefined;
    // A record of base fields alone.
    if (hasNone && record.n === undefined) return undefined;
    if (hasNone) return 'invalid_senml';
    return this.#take(record, value, sum);
  }

  finish(): Refusal | undefined {
    if (this.#at === undefined) return undefined;
    const { time, base } = this.#at;
    const observedAt = this.#absolute(time);
    if (observedAt === undefined) return 'bad_ts';
    const reading = this.#builder.build();
    if (typeof reading === 'string') return reading;
    this.readings.push({ ...reading, observedAt, base });
    this.#builder = new ReadingBuilder(this.#options);
    return undefined;
  }

  #take(
    { n = '', t = 0, u }: SensorRecord,
    value: MetricValue | undefined,
    sum: number | undefined,
  ): Refusal | undefined {
    const { name: base, time, unit } = this.#base;
    if (!NAME.test(base + n)) return 'bad_metric_name';
    const name = this.#options.baseIsDevice ? n || UNNAMED : base + n;
    const at = { time: time + t, base };
    if (!this.#goesOn(at, name)) {
      const refused = this.finish();
      if (refused !== undefined) return refused;
    }
    this.#at = at;
    const refused = value === undefined ? undefined : this.#builder.add(name, value, u ?? unit);
    return refused ?? (sum === undefined ? undefined : this.#builder.add(`${name}.sum`, sum));
  }

  /** Whether the value belongs to the reading that is gathered. */
  #goesOn(at: { readonly time: number; readonly base: string }, name: string): boolean {
    const last = this.#at;
    if (last === undefined) return true;
    const sameDevice = last.base === at.base || !this.#options.baseIsDevice;
    return last.time === at.time && sameDevice && !this.#builder.has(name) && !this.#builder.has(`${name}.sum`);
  }

  /** Null: roughly now, which is all that a sensor without a clock can say. */
  #absolute(seconds: number): number | null | undefined {
    if (seconds === 0) return null;
    const ms = Math.round(seconds * 1000);
    const time = Math.abs(seconds) < ABSOLUTE_FROM_S ? this.#options.now + ms : ms;
    return time >= 0 && time <= LATEST_MS ? believed(time) : undefined;
  }
}

function valueIn({ v, vs, vb, vd }: SensorRecord, base: Base): MetricValue | undefined {
  if (vs !== undefined) return vs;
  if (vb !== undefined) return vb;
  if (vd !== undefined) return vd;
  return v === undefined && base.value === undefined ? undefined : (v ?? 0) + (base.value ?? 0);
}
