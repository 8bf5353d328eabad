import { type Buffer, isUtf8 } from 'node:buffer';
import type { PublishPacket } from 'aedes';
import type { Qos } from './packet.ts';

const PUBLISH = 3;

export interface PacketBounds {
  readonly start: number;
  /** Behind the fixed header. */
  readonly bodyAt: number;
  readonly end: number;
}

/** The packet that begins at `start`; the bytes must hold all of it. */
export function boundsAt(bytes: Buffer, start: number): PacketBounds {
  let length = 0;
  let at = start + 1;
  for (let unit = 1; ; unit *= 128) {
    const digit = bytes[at] ?? 0;
    length += (digit & 127) * unit;
    at += 1;
    if (digit < 128) break;
  }
  return { start, bodyAt: at, end: at + length };
}

export function isPublish(firstByte: number | undefined): boolean {
  return firstByte !== undefined && firstByte >> 4 === PUBLISH;
}

/** A PUBLISH [MQTT 3.1.1, 3.3]; undefined when it is malformed. The payload is a view. */
export function decodePublish(bytes: Buffer, { start, bodyAt, end }: PacketBounds): PublishPacket | undefined {
  const first = bytes[start] ?? 0;
  const qos = (first >> 1) & 3;
  if (qos === 3 || end < bodyAt + 2) return undefined;
  const topicEnd = bodyAt + 2 + bytes.readUInt16BE(bodyAt);
  const payloadAt = topicEnd + (qos > 0 ? 2 : 0);
  if (payloadAt > end) return undefined;
  const topic = bytes.toString('utf8', bodyAt + 2, topicEnd);
  // What is no UTF-8 becomes this character [MQTT-1.5.3-1].
  if (topic.includes('\ufffd') && !isUtf8(bytes.subarray(bodyAt + 2, topicEnd))) return undefined;
  const packet: PublishPacket = {
    cmd: 'publish',
    qos: qos as Qos,
    dup: (first & 8) !== 0,
    retain: (first & 1) !== 0,
    topic,
    payload: bytes.subarray(payloadAt, end),
  };
  if (qos > 0) packet.messageId = bytes.readUInt16BE(topicEnd);
  return packet;
}
