import { Buffer } from 'node:buffer';
import { z } from '@hono/zod-openapi';
import type { StoredRecord } from '../core/record.ts';
import { STREAMS } from '../core/stream.ts';
import { toTime } from './times.ts';

export const RECORD_EXAMPLE = {
  seq: 1_000_001,
  stream: 'telemetry',
  device: 'greenhouse-1',
  event_type: null,
  received_at: '2026-05-01T12:00:00.000Z',
  observed_at: null,
  time_quality: 'synced',
  channel: 'devices/greenhouse-1/telemetry',
  content_type: 'application/json',
  size: 20,
  value: { temperature: 21.5 },
} as const;

export const Record = z
  .object({
    seq: z.int(),
    stream: z.enum(STREAMS),
    device: z.string().openapi({ description: 'Empty in a gap that sums up many devices.' }),
    event_type: z.string().nullable(),
    received_at: z.string().nullable(),
    observed_at: z.string().nullable(),
    time_quality: z.enum(['synced', 'unsynced', 'corrected']).openapi({
      description:
        'How far `received_at` can be trusted. `unsynced`: the clock was not synchronised. `corrected`: it was not, and the time was reckoned when it was.',
    }),
    channel: z.string().openapi({
      description: 'MQTT topic, for HTTP the one of the same meaning; of a gap the uplink that it concerns.',
    }),
    content_type: z.enum(['application/json', 'text/plain', 'application/octet-stream']),
    size: z.int().openapi({ description: 'Bytes of the value.' }),
    value: z.unknown().openapi({ description: 'When it is JSON: as it was sent.' }),
    retry_of: z.object({ uplink: z.string(), seq: z.int() }).optional().openapi({
      description: 'The rejected record that this one is, tried again, for that uplink alone. In Kafka: `ce_retryof`.',
    }),
    text: z.string().optional().openapi({ description: 'When it is text.' }),
    base64: z.string().optional().openapi({ description: 'When it is neither.' }),
  })
  .openapi('Record', { example: RECORD_EXAMPLE });

/**
 * A record as JSON text. A JSON value stands in it byte for byte: to parse and print it again would change numbers, and
 * fail for one that is nested too deeply.
 */
export function recordJson(record: StoredRecord): string {
  const about = JSON.stringify({
    seq: record.seq,
    stream: record.stream,
    device: record.device,
    event_type: record.eventType,
    received_at: toTime(record.receivedAt),
    observed_at: toTime(record.observedAt),
    time_quality: record.timeQuality,
    channel: record.channel,
    content_type: record.contentType,
    size: record.value.byteLength,
    retry_of: record.retryOf && { uplink: record.retryOf.uplink, seq: record.retryOf.seq },
  });
  return `${about.slice(0, -1)},${valueJson(record)}}`;
}

function valueJson({ contentType, value }: StoredRecord): string {
  const { text, base64 } = printableBytes(value);
  if (base64 !== undefined) return `"base64":${JSON.stringify(base64)}`;
  return contentType === 'application/json' && isJson(text) ? `"value":${text}` : `"text":${JSON.stringify(text)}`;
}

/** As text when the bytes are UTF-8, else as base64. `cut`: the last character may be incomplete. */
export function printableBytes(
  bytes: Uint8Array,
  { cut = false } = {},
): { readonly text: string; readonly base64?: undefined } | { readonly base64: string; readonly text?: undefined } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes, { stream: cut }) };
  } catch {
    return { base64: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64') };
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
