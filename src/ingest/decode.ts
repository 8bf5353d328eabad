import { Buffer, isUtf8 } from 'node:buffer';
import type { ContentType } from '../core/record.ts';
import type { Stream } from '../core/stream.ts';
import type { MetricValue } from '../core/views.ts';
import { decodeTelemetry, noJson } from './formats/json.ts';
import { parseJson } from './formats/parse-json.ts';
import type { Decoded, Reading, Refused, Units } from './formats/reading.ts';
import { decodeScalar } from './formats/text.ts';
import type { Route } from './topic.ts';

/** What a good message becomes, but for what only the gateway knows of it (time, channel). */
export interface Draft {
  readonly stream: Stream;
  readonly contentType: ContentType;
  readonly eventType: string | null;
  readonly observedAt: number | null;
  readonly value: Uint8Array;
  /** What the parsed telemetry says, without the reserved key `ts`; else null. */
  readonly metrics: Readonly<Record<string, MetricValue>> | null;
  /** Of the metrics that have one. */
  readonly units: Units | null;
}

export type DecodedMessage = { readonly drafts: readonly Draft[] } | Refused;

/** Decides if a payload is what its topic, and its sender where it could, says. */
export function decodeMessage(route: Route, payload: Buffer, declared?: ContentType): DecodedMessage {
  if (!isUtf8(payload)) return { refused: 'not_utf8' };
  const text = payload.toString('utf8');
  switch (route.kind) {
    case 'telemetry':
      return draftsOf(decodeTelemetry(payload, text));
    case 'metric':
      return draftsOf(decodeScalar(route.metric, text));
    case 'event':
      return decodeEvent(payload, text, { eventType: route.eventType, declared });
    case 'state':
      return decodeState(payload, text);
    case 'response':
      return decodeResponse(payload, text);
  }
}

function draftsOf(decoded: Decoded): DecodedMessage {
  return 'refused' in decoded ? decoded : { drafts: decoded.readings.map(telemetryDraft) };
}

/** The record to be of a reading; its value is written from the metrics where the message did not bring it along. */
export function telemetryDraft({ metrics, observedAt, value, units }: Reading): Draft {
  return {
    ...JSON_DRAFT,
    stream: 'telemetry',
    observedAt,
    metrics,
    units,
    value: value ?? Buffer.from(JSON.stringify(metrics)),
  };
}

const JSON_DRAFT = {
  contentType: 'application/json',
  eventType: null,
  observedAt: null,
  metrics: null,
  units: null,
} as const;

interface EventKind {
  readonly eventType: string;
  readonly declared: ContentType | undefined;
}

/** Any JSON, or text. */
function decodeEvent(payload: Buffer, text: string, { eventType, declared }: EventKind): DecodedMessage {
  const isJson = declared !== 'text/plain' && parseJson(text) !== undefined;
  if (declared === 'application/json' && !isJson) return noJson(text);
  return { drafts: [eventDraft(payload, isJson ? 'application/json' : 'text/plain', eventType)] };
}

/** An event is stored as it was sent. */
export function eventDraft(value: Uint8Array, contentType: ContentType, eventType: string): Draft {
  return { ...JSON_DRAFT, contentType, eventType, stream: 'events', value };
}

/** A merge patch of the reported state (RFC 7396); a patch that is no object would replace the state as a whole. */
export function decodeState(payload: Buffer, text: string): DecodedMessage {
  const patch = parseJson(text);
  if (patch === undefined) return noJson(text);
  if (!isObject(patch)) return { refused: 'not_an_object' };
  return { drafts: [{ ...JSON_DRAFT, stream: 'state', value: payload }] };
}

function decodeResponse(payload: Buffer, text: string): DecodedMessage {
  const response = parseJson(text);
  if (response === undefined) return noJson(text);
  if (!isObject(response)) return { refused: 'not_an_object' };
  const { status } = response;
  const valid = typeof status === 'number' && Number.isInteger(status) && status >= 100 && status <= 599;
  if (!valid) return { refused: 'bad_status' };
  return { drafts: [{ ...JSON_DRAFT, stream: 'responses', value: payload }] };
}

function isObject(value: unknown): value is { readonly status?: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
