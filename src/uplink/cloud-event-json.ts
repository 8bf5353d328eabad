import { Buffer, isUtf8 } from 'node:buffer';
import type { RangeKind } from '../core/lane-log.ts';
import type { Seq, StoredRecord } from '../core/record.ts';
import type { CloudEvents } from './cloud-event.ts';

/** The media type of one structured event (CloudEvents JSON format 1.0, §3). */
export const CLOUD_EVENT_JSON = 'application/cloudevents+json; charset=UTF-8';

const CLOSE = Buffer.from('}');
const SEQ_DIGITS = 20;

export interface CloudEventJsonOptions {
  /** Whether the attribute `channel` names the MQTT topic or serial port. */
  readonly channel: boolean;
  /** Set for what is sent beside its lane. */
  readonly lane?: RangeKind | undefined;
}

/**
 * One record as a structured CloudEvents JSON document: one line, without a line feed at its end. It begins with
 * `specversion` and `id`, always in the same form, so that `seqOfCloudEventJson` needs no parser.
 */
export function cloudEventJson(events: CloudEvents, record: StoredRecord, options: CloudEventJsonOptions): Buffer {
  const attributes = JSON.stringify({
    specversion: '1.0',
    id: events.id(record.seq),
    source: events.source,
    type: events.type(record),
    subject: record.device === '' ? undefined : record.device,
    time: events.timestamp(events.timeMs(record)),
    recordedtime: events.hasRecordedTime(record) ? events.timestamp(record.receivedAt) : undefined,
    timequality: record.timeQuality === 'synced' ? undefined : record.timeQuality,
    retryof: events.retryOf(record),
    lane: options.lane,
    channel: options.channel && record.stream !== 'gaps' ? record.channel : undefined,
    datacontenttype: record.contentType,
  });
  return Buffer.concat([Buffer.from(attributes.slice(0, -1)), ...data(record), CLOSE]);
}

/** The seq of a whole document that was made with this id prefix; undefined for anything else. */
export function seqOfCloudEventJson(document: Buffer, idPrefix: string): Seq | undefined {
  const head = JSON.stringify({ specversion: '1.0', id: idPrefix }).slice(0, -2);
  const idEnd = Buffer.byteLength(head) + SEQ_DIGITS;
  const id = document.toString('utf8', 0, idEnd + 1);
  const digits = id.slice(head.length, -1);
  if (!id.startsWith(head) || !id.endsWith('"') || !/^\d{20}$/.test(digits)) return undefined;
  return document.at(-1) === CLOSE[0] ? Number(digits) : undefined;
}

function data({ contentType, value }: StoredRecord): Buffer[] {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (contentType === 'application/json') return [Buffer.from(',"data":'), onOneLine(bytes)];
  if (contentType === 'text/plain' && isUtf8(bytes))
    return [Buffer.from(`,"data":${JSON.stringify(bytes.toString())}`)];
  return [Buffer.from(`,"data_base64":"${bytes.toString('base64')}"`)];
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const SPACE = 0x20;

/** Line breaks in JSON stand between tokens only, never inside a string (RFC 8259 §7): a space says the same. */
function onOneLine(json: Buffer): Buffer {
  if (!json.includes(LINE_FEED) && !json.includes(CARRIAGE_RETURN)) return json;
  return Buffer.from(json.map((byte) => (byte === LINE_FEED || byte === CARRIAGE_RETURN ? SPACE : byte)));
}
