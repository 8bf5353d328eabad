import { Buffer } from 'node:buffer';
import { EARLIEST_NOW_MS } from '../../core/earliest-now.ts';
import type { RangeKind } from '../../core/lane-log.ts';
import { ownBytes } from '../../core/own-copy.ts';
import type { ContentType, StoredRecord } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import type { CloudEvents } from '../cloud-event.ts';
import { CLOUD_EVENT_JSON, cloudEventJson } from '../cloud-event-json.ts';
import { type HashedMessage, murmur2 } from './partitioner.ts';
import { hasPlaceholder, renderTemplate } from './template.ts';
import type { TimeKind } from './topic-time.ts';

const KEYS_KEPT = 10_000;
/** 2001-09-09: from here on milliseconds have 13 digits, so that kafkajs, which sorts them as text, finds the least. */
const EARLIEST_OBSERVED_MS = 1e12;
/** Kafka takes it whatever the topic says of times; a segment with no other is deleted by the time of its last write. */
const NO_TIMESTAMP = -1;

const SPEC_VERSION = Buffer.from('1.0');
const CONTENT_TYPES: Readonly<Record<ContentType, Buffer>> = {
  'application/json': Buffer.from('application/json'),
  'text/plain': Buffer.from('text/plain'),
  'application/octet-stream': Buffer.from('application/octet-stream'),
};
const STRUCTURED_HEADERS = { 'content-type': Buffer.from(CLOUD_EVENT_JSON) };

export interface MessageBuilderOptions {
  readonly stream: Stream;
  readonly events: CloudEvents;
  readonly gatewayId: string;
  /** Template of `{gateway}`, `{device}` and `{stream}`. */
  readonly key: string;
  readonly envelope: 'binary' | 'structured';
  readonly channelHeader: boolean;
  /** Set for what is sent beside its lane. */
  readonly lane?: RangeKind | undefined;
}

/** `observed`: the record's time where that is possible, else that of sending. */
export interface MessageTime {
  /** UTC milliseconds. */
  readonly sentAt: number;
  readonly kind: TimeKind;
}

interface Key {
  readonly bytes: Buffer;
  readonly hash: number;
}

/** Records of one stream as Kafka messages: key, value, and CloudEvents attributes as headers (Kafka binding 1.0, binary mode). */
export class MessageBuilder {
  readonly #options: MessageBuilderOptions;
  readonly #source: Buffer;
  readonly #type: Buffer;
  /** By device. */
  readonly #keys = new Map<string, Key>();
  readonly #hasSubject: boolean;

  constructor(options: MessageBuilderOptions) {
    this.#options = options;
    this.#source = Buffer.from(options.events.source);
    this.#type = Buffer.from(options.events.streamType(options.stream));
    this.#hasSubject = !hasPlaceholder(options.key, 'device');
  }

  build(record: StoredRecord, time: MessageTime): HashedMessage {
    const { events, envelope, channelHeader, lane } = this.#options;
    const { bytes: key, hash: keyHash } = this.#key(record);
    const timestampMs = this.#timestampMs(record, time);
    const timestamp = String(timestampMs);
    if (envelope === 'structured') {
      const value = cloudEventJson(events, record, { channel: channelHeader, lane });
      return { key, keyHash, value, timestamp, headers: STRUCTURED_HEADERS };
    }
    const { value } = record;
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    return { key, keyHash, value: bytes, timestamp, headers: this.#headers(record, timestampMs) };
  }

  #headers(record: StoredRecord, timestampMs: number): Record<string, Buffer | string> {
    const { events, channelHeader, lane } = this.#options;
    const timeMs = events.timeMs(record);
    const headers: Record<string, Buffer | string> = {
      ce_specversion: SPEC_VERSION,
      ce_id: events.id(record.seq),
      ce_source: this.#source,
      ce_type: record.eventType === null ? this.#type : events.type(record),
      'content-type': CONTENT_TYPES[record.contentType],
    };
    // Headers are what a record costs most: only those that say something.
    if (timeMs !== timestampMs) headers['ce_time'] = events.timestamp(timeMs);
    if (events.hasRecordedTime(record)) headers['ce_recordedtime'] = events.timestamp(record.receivedAt);
    if (record.timeQuality !== 'synced') headers['ce_timequality'] = record.timeQuality;
    if (this.#hasSubject && record.device !== '') headers['ce_subject'] = record.device;
    const retryOf = events.retryOf(record);
    if (retryOf !== undefined) headers['ce_retryof'] = retryOf;
    if (lane !== undefined) headers['ce_lane'] = lane;
    if (channelHeader && record.stream !== 'gaps') headers['ce_channel'] = record.channel;
    return headers;
  }

  #timestampMs(record: StoredRecord, { sentAt, kind }: MessageTime): number {
    // With a time of 1970 the record would be past any retention as it arrives.
    if (kind === 'none' || sentAt < EARLIEST_NOW_MS) return NO_TIMESTAMP;
    if (kind === 'sent' || record.timeQuality === 'unsynced') return sentAt;
    const timeMs = Math.trunc(this.#options.events.timeMs(record));
    return timeMs < EARLIEST_OBSERVED_MS ? sentAt : Math.min(timeMs, sentAt);
  }

  #key({ device }: StoredRecord): Key {
    const known = this.#keys.get(device);
    if (known !== undefined) return known;
    const { key: template, gatewayId, stream } = this.#options;
    const bytes = ownBytes(Buffer.from(renderTemplate(template, { gateway: gatewayId, device, stream })));
    const key = { bytes, hash: murmur2(bytes) };
    if (this.#keys.size >= KEYS_KEPT) this.#keys.clear();
    this.#keys.set(device, key);
    return key;
  }
}

/** Bytes of a record batch beside its records (Kafka protocol, "Record Batch"). */
export const BATCH_OVERHEAD_BYTES = 61;
/** Lengths, deltas and attributes of one record, and of one header, at most. */
const RECORD_OVERHEAD_BYTES = 32;
const HEADER_OVERHEAD_BYTES = 4;

/** Bytes of the message within a record batch, or a few more. Header values count as ASCII. */
export function messageBytes({ key, value, headers = {} }: HashedMessage): number {
  let bytes = RECORD_OVERHEAD_BYTES + key.byteLength + value.byteLength;
  for (const name in headers) bytes += HEADER_OVERHEAD_BYTES + name.length + (headers[name]?.length ?? 0);
  return bytes;
}
