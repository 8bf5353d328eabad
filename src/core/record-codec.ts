/**
 * The bytes of one record, the same from the door to the uplink: packed once by `ingest`, stored as one blob,
 * read again by every cursor. Little-endian.
 *
 * | offset | bytes | what |
 * |---|---|---|
 * | 0 | 4 | CRC-32 of everything behind it, seeded with the seq (so a body under a wrong seq is noticed) |
 * | 4 | 1 | format version, 1 |
 * | 5 | 1 | flags: bit 0 observedAt present · bit 1 event type present · bits 2–3 time quality · bits 4–5 content type · bit 6 tried again · bit 7 boot time present |
 * | 6 | 8 | receivedAt, float64 milliseconds |
 * | 14 | 1 | length of the device id |
 * | 15 | 2 | length of the channel |
 * | 17 | 0 or 8 | observedAt, float64 milliseconds |
 * | … | 0 or 24 | boot time: boot id, 16 bytes · uptime, float64 milliseconds |
 * | … | 0 or 2 | length of the event type |
 * | … | … | device (ASCII), channel (UTF-8), event type (UTF-8) |
 * | … | 0 or 9 + n | of a reject that is tried again: old seq, float64 · u8 length, uplink (UTF-8) |
 * | … | … | value (to the end) |
 */

import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type { BootTime, ContentType, NewRecord, RetryOf, Seq, StoredRecord, TimeQuality } from './record.ts';
import type { Stream } from './stream.ts';

const VERSION = 1;
const FIXED_BYTES = 17;
const OPTIONAL_BYTES = 10;
/** The golden ratio as 32 bits: spreads the high half of a seq over the seed. */
const MIX = 0x9e3779b1;
const HAS_OBSERVED = 1;
const HAS_EVENT_TYPE = 2;
const IS_RETRY = 64;
const HAS_BOOT_TIME = 128;
const OBSERVED_BYTES = 8;
const RETRY_BYTES = 9;
const BOOT_ID_BYTES = 16;
const BOOT_TIME_BYTES = BOOT_ID_BYTES + 8;
const QUALITIES: readonly TimeQuality[] = ['synced', 'unsynced', 'corrected'];
const CONTENT_TYPES: readonly ContentType[] = ['application/json', 'text/plain', 'application/octet-stream'];

/** Bytes that `writeRecord` will need, or more: text counts with its longest UTF-8 form. */
export function maxEncodedBytes(record: NewRecord): number {
  const text = record.device.length + 3 * (record.channel.length + (record.eventType?.length ?? 0));
  const retry = record.retryOf === undefined ? 0 : RETRY_BYTES + 3 * record.retryOf.uplink.length;
  const bootTime = record.bootTime === undefined ? 0 : BOOT_TIME_BYTES;
  return FIXED_BYTES + OPTIONAL_BYTES + bootTime + text + retry + record.value.byteLength;
}

/** Writes the record at `offset`, without its CRC; returns the offset behind it. */
export function writeRecord(target: Buffer, offset: number, record: NewRecord): number {
  const observed = record.observedAt !== null;
  const typed = record.eventType !== null;
  target[offset + 4] = VERSION;
  target[offset + 5] =
    (observed ? HAS_OBSERVED : 0) |
    (typed ? HAS_EVENT_TYPE : 0) |
    (QUALITIES.indexOf(record.timeQuality) << 2) |
    (CONTENT_TYPES.indexOf(record.contentType) << 4) |
    (record.retryOf === undefined ? 0 : IS_RETRY) |
    (record.bootTime === undefined ? 0 : HAS_BOOT_TIME);
  target.writeDoubleLE(record.receivedAt, offset + 6);
  let end = offset + FIXED_BYTES;
  if (record.observedAt !== null) end = target.writeDoubleLE(record.observedAt, end);
  if (record.bootTime !== undefined) end = writeBootTime(target, end, record.bootTime);
  const typeLengthAt = end;
  if (typed) end += 2;
  const deviceBytes = target.write(record.device, end, 'latin1');
  end += deviceBytes;
  const channelBytes = target.write(record.channel, end, 'utf8');
  end += channelBytes;
  target[offset + 14] = deviceBytes;
  target.writeUInt16LE(channelBytes, offset + 15);
  if (record.eventType !== null) {
    const typeBytes = target.write(record.eventType, end, 'utf8');
    target.writeUInt16LE(typeBytes, typeLengthAt);
    end += typeBytes;
  }
  if (record.retryOf !== undefined) end = writeRetry(target, end, record.retryOf);
  target.set(record.value, end);
  return end + record.value.byteLength;
}

function writeBootTime(target: Buffer, offset: number, { bootId, uptimeMs }: BootTime): number {
  target.write(bootId, offset, BOOT_ID_BYTES, 'hex');
  return target.writeDoubleLE(uptimeMs, offset + BOOT_ID_BYTES);
}

function writeRetry(target: Buffer, offset: number, { seq, uplink }: RetryOf): number {
  const lengthAt = target.writeDoubleLE(seq, offset);
  const bytes = target.write(uplink, lengthAt + 1, 'utf8');
  target[lengthAt] = bytes;
  return lengthAt + 1 + bytes;
}

/** Puts the CRC in front, once the seq is known. */
export function sealRecord(body: Buffer, seq: Seq): void {
  body.writeUInt32LE(checksum(body, seq), 0);
}

export function isIntact(body: Buffer, seq: Seq): boolean {
  return body.byteLength >= FIXED_BYTES && body[4] === VERSION && body.readUInt32LE(0) === checksum(body, seq);
}

function checksum(body: Buffer, seq: Seq): number {
  // The high half counts too: one flipped bit anywhere in a stored seq is noticed.
  return crc32(body.subarray(4), (seq ^ Math.imul(seq / 2 ** 32, MIX)) >>> 0);
}

/** The gateway's time of acceptance, without decoding the rest. */
export function receivedAtOf(body: Buffer): number {
  return body.readDoubleLE(6);
}

/** False when the gateway's clock was not synchronised at acceptance: then `receivedAt` says nothing about age. */
export function isTimeTrusted(body: Buffer): boolean {
  return QUALITIES[(body.readUInt8(5) >> 2) & 3] !== 'unsynced';
}

/** Set when the gateway's clock was not synchronised at acceptance; without decoding the rest. */
export function bootTimeOf(body: Buffer): BootTime | undefined {
  const flags = body.readUInt8(5);
  if ((flags & HAS_BOOT_TIME) === 0) return undefined;
  const at = FIXED_BYTES + (flags & HAS_OBSERVED ? OBSERVED_BYTES : 0);
  const uptimeAt = at + BOOT_ID_BYTES;
  return { bootId: body.toString('hex', at, uptimeAt), uptimeMs: body.readDoubleLE(uptimeAt) };
}

/** Whether it says that it comes from the device, given in ASCII; without decoding the rest. */
export function isOfDevice(body: Buffer, device: Buffer): boolean {
  if (body.byteLength < FIXED_BYTES || body[14] !== device.byteLength) return false;
  const flags = body.readUInt8(5);
  const at = behindTimes(flags) + (flags & HAS_EVENT_TYPE ? 2 : 0);
  return device.compare(body, at, Math.min(at + device.byteLength, body.byteLength)) === 0;
}

function behindTimes(flags: number): number {
  return FIXED_BYTES + (flags & HAS_OBSERVED ? OBSERVED_BYTES : 0) + (flags & HAS_BOOT_TIME ? BOOT_TIME_BYTES : 0);
}

/** Reads a record that `isIntact` found good. The value is a view into `body`, not a copy. */
export function readRecord(stream: Stream, seq: Seq, body: Buffer): StoredRecord {
  const flags = body.readUInt8(5);
  let at = behindTimes(flags);
  const typeLength = flags & HAS_EVENT_TYPE ? body.readUInt16LE(at) : -1;
  if (typeLength >= 0) at += 2;
  const channelAt = at + body.readUInt8(14);
  const typeAt = channelAt + body.readUInt16LE(15);
  const retryAt = typeAt + Math.max(typeLength, 0);
  const retryOf = flags & IS_RETRY ? readRetry(body, retryAt) : undefined;
  const valueAt = retryOf === undefined ? retryAt : retryAt + RETRY_BYTES + body.readUInt8(retryAt + 8);
  const record = {
    seq,
    stream,
    device: body.toString('latin1', at, channelAt),
    receivedAt: receivedAtOf(body),
    observedAt: flags & HAS_OBSERVED ? body.readDoubleLE(FIXED_BYTES) : null,
    timeQuality: QUALITIES[(flags >> 2) & 3] ?? 'unsynced',
    contentType: CONTENT_TYPES[(flags >> 4) & 3] ?? 'application/octet-stream',
    eventType: typeLength >= 0 ? body.toString('utf8', typeAt, retryAt) : null,
    channel: body.toString('utf8', channelAt, typeAt),
    value: body.subarray(valueAt),
  };
  const bootTime = bootTimeOf(body);
  if (retryOf === undefined && bootTime === undefined) return record;
  return { ...record, ...(retryOf && { retryOf }), ...(bootTime && { bootTime }) };
}

function readRetry(body: Buffer, at: number): RetryOf {
  const uplinkAt = at + RETRY_BYTES;
  return { seq: body.readDoubleLE(at), uplink: body.toString('utf8', uplinkAt, uplinkAt + body.readUInt8(at + 8)) };
}

/** A sealed body of its own, for tests and rare single records such as gaps. */
export function encodeRecord(record: NewRecord, seq: Seq): Buffer {
  const buffer = Buffer.allocUnsafe(maxEncodedBytes(record));
  const body = buffer.subarray(0, writeRecord(buffer, 0, record));
  sealRecord(body, seq);
  return body;
}
