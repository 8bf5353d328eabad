import { Buffer } from 'node:buffer';
import type { RouteOptions } from '../core/route.ts';
import type { Stream } from '../core/stream.ts';
import type { Draft } from '../ingest/decode.ts';
import { type Judgement, judge } from '../ingest/judge.ts';
import { REFUSAL_HINTS } from '../ingest/refusal.ts';
import { RouteTable } from '../ingest/routes/route-table.ts';
import { isValidTopic } from '../sources/mqtt/topics.ts';

export interface TriedRecord {
  readonly stream: Stream;
  readonly device: string;
  readonly event_type: string | null;
  readonly content_type: string;
  /** The time of observation, RFC 3339 UTC; null when the message gives none. */
  readonly time: string | null;
  /** Text, or base64 of bytes that are none. */
  readonly value: string;
  /** Of the metrics that have one; the API shows them, the record does not hold them. */
  readonly units: Readonly<Record<string, string>>;
}

export interface TriedMessage {
  readonly topic: string;
  /** `invalid_topic`: no client may publish to it. */
  readonly outcome: 'accepted' | 'refused' | 'local' | 'invalid_topic';
  /** The topic filter of the route that takes it; `devices` for the default namespace; null when there is none. */
  readonly route: string | null;
  readonly reason: string | null;
  readonly hint: string | null;
  readonly records: readonly TriedRecord[];
}

/** What a message would become, without storing it. */
export function tryMessage(routes: readonly RouteOptions[], topic: string, payload: Uint8Array): TriedMessage {
  const nothing = { topic, route: null, reason: null, hint: null, records: [] };
  if (!isValidTopic(topic)) return { ...nothing, outcome: 'invalid_topic' };
  const judgement = judge({ source: 'mqtt', channel: topic, payload }, new RouteTable(routes), Date);
  if (judgement.kind === 'local') return { ...nothing, outcome: 'local' };
  const route = judgement.route === null ? 'devices' : (routes[judgement.route]?.topic ?? null);
  if (judgement.kind === 'refused') {
    const { reason } = judgement;
    return { ...nothing, outcome: 'refused', route, reason, hint: REFUSAL_HINTS[reason] };
  }
  const records = triedRecords(judgement);
  return { ...nothing, outcome: 'accepted', route, records };
}

export function triedRecords({ device, drafts }: Extract<Judgement, { kind: 'good' }>): readonly TriedRecord[] {
  return drafts.map((draft) => recordOf(device, draft));
}

function recordOf(device: string, { stream, eventType, contentType, observedAt, value, units }: Draft): TriedRecord {
  const isBytes = contentType === 'application/octet-stream';
  return {
    stream,
    device,
    event_type: eventType,
    content_type: contentType,
    time: observedAt === null ? null : new Date(observedAt).toISOString(),
    value: Buffer.from(value).toString(isBytes ? 'base64' : 'utf8'),
    units: { ...units },
  };
}
