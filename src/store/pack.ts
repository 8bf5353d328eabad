/**
 * What crosses from the main thread to the store worker: many log entries in one transferable buffer instead of
 * thousands of cloned objects. Little-endian; every entry begins with its kind.
 *
 * | kind | then |
 * |---|---|
 * | 1 records | handshake (below) · u32 record count · per record: u8 stream, u32 length, body (record-codec) |
 * | 2 refused | u8 source · f64 receivedAt · text reason · text channel · u32 length, payload |
 * | 3 release | handshake; packet id 0 means all of the client |
 * | 4 barrier | – |
 * | 5 keyed records | text device · text key · 32 bytes fingerprint · then as records |
 *
 * text: u16 length, UTF-8. handshake: text client id (empty: none), u16 packet id.
 */

import { Buffer } from 'node:buffer';
import type { LogEntry } from '../core/ports.ts';
import type { DeviceKey, Handshake, RefusedMessage, Source } from '../core/record.ts';
import { maxEncodedBytes, writeRecord } from '../core/record-codec.ts';
import { STREAMS, type Stream } from '../core/stream.ts';

const RECORDS = 1;
const REFUSED = 2;
const RELEASE = 3;
const BARRIER = 4;
const KEYED_RECORDS = 5;
const FINGERPRINT_BYTES = 32;
const SOURCES: readonly Source[] = ['mqtt', 'serial', 'http'];
const FIRST_BYTES = 64 * 1024;
const NO_HANDSHAKE: Handshake = { clientId: '', packetId: 0 };

/** Grows as needed. Few entries are copied out of it: at a thousand packs a second a buffer each would fill the memory. */
export class PackWriter {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#end;
  }

  add(entry: LogEntry): void {
    this.#count += 1;
    switch (entry.kind) {
      case 'records':
        this.#addRecords(entry);
        break;
      case 'refused':
        this.#addRefused(entry.message);
        break;
      case 'release':
        this.#byte(RELEASE);
        this.#handshake({ clientId: entry.clientId, packetId: entry.packetId ?? 0 });
        break;
      case 'barrier':
        this.#byte(BARRIER);
        break;
    }
  }

  /** The packed bytes in a buffer of their own, ready to be transferred. */
  take(): { buffer: ArrayBuffer; byteLength: number; count: number } {
    const taken = { buffer: this.#takeBuffer(), byteLength: this.#end, count: this.#count };
    this.#end = 0;
    this.#count = 0;
    return taken;
  }

  #takeBuffer(): ArrayBuffer {
    const buffer = this.#buffer.buffer as ArrayBuffer;
    if (buffer.byteLength === FIRST_BYTES) return buffer.slice(0, this.#end);
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return buffer;
  }

  #addRecords(entry: Extract<LogEntry, { kind: 'records' }>): void {
    if (entry.idempotency === undefined) this.#byte(RECORDS);
    else this.#key(entry.idempotency);
    this.#handshake(entry.handshake ?? NO_HANDSHAKE);
    this.#u32(entry.records.length);
    for (const record of entry.records) {
      this.#reserve(5 + maxEncodedBytes(record));
      this.#buffer[this.#end] = STREAMS.indexOf(record.stream);
      const body = this.#end + 5;
      const end = writeRecord(this.#buffer, body, record);
      this.#buffer.writeUInt32LE(end - body, this.#end + 1);
      this.#end = end;
    }
  }

  #addRefused(message: RefusedMessage): void {
    this.#byte(REFUSED);
    this.#byte(SOURCES.indexOf(message.source));
    this.#reserve(8);
    this.#end = this.#buffer.writeDoubleLE(message.receivedAt, this.#end);
    this.#text(message.reason);
    this.#text(message.channel);
    this.#u32(message.payload.byteLength);
    this.#reserve(message.payload.byteLength);
    this.#buffer.set(message.payload, this.#end);
    this.#end += message.payload.byteLength;
  }

  #key({ device, key, fingerprint }: DeviceKey): void {
    this.#byte(KEYED_RECORDS);
    this.#text(device);
    this.#text(key);
    this.#reserve(FINGERPRINT_BYTES);
    this.#buffer.set(fingerprint, this.#end);
    this.#end += FINGERPRINT_BYTES;
  }

  #handshake({ clientId, packetId }: Handshake): void {
    this.#text(clientId);
    this.#reserve(2);
    this.#end = this.#buffer.writeUInt16LE(packetId, this.#end);
  }

  #text(text: string): void {
    this.#reserve(2 + 3 * text.length);
    const bytes = this.#buffer.write(text, this.#end + 2, 'utf8');
    this.#buffer.writeUInt16LE(bytes, this.#end);
    this.#end += 2 + bytes;
  }

  #byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#end] = value;
    this.#end += 1;
  }

  #u32(value: number): void {
    this.#reserve(4);
    this.#end = this.#buffer.writeUInt32LE(value, this.#end);
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.byteLength) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.byteLength, this.#end + bytes));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }
}

/** A record as the store takes it: the body is stored as it is, once the seq has been sealed into it. */
export interface PackedRecord {
  readonly stream: Stream;
  readonly body: Buffer;
}

export type PackedEntry =
  | {
      readonly kind: 'records';
      readonly handshake: Handshake | null;
      readonly idempotency?: DeviceKey;
      readonly records: readonly PackedRecord[];
    }
  | { readonly kind: 'refused'; readonly message: RefusedMessage }
  | { readonly kind: 'release'; readonly clientId: string; readonly packetId: number | null }
  | { readonly kind: 'barrier' };

/** Reads what a PackWriter wrote. Bodies and payloads are views into the buffer. */
export function unpack(buffer: ArrayBuffer, byteLength: number): PackedEntry[] {
  const reader = new PackReader(Buffer.from(buffer, 0, byteLength));
  const entries: PackedEntry[] = [];
  while (!reader.done) entries.push(reader.entry());
  return entries;
}

class PackReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#at >= this.#bytes.byteLength;
  }

  entry(): PackedEntry {
    const kind = this.#byte();
    switch (kind) {
      case RECORDS:
        return { kind: 'records', handshake: this.#handshake(), records: this.#records() };
      case KEYED_RECORDS:
        return { kind: 'records', idempotency: this.#key(), handshake: this.#handshake(), records: this.#records() };
      case REFUSED:
        return { kind: 'refused', message: this.#refused() };
      case RELEASE: {
        const clientId = this.#text();
        return { kind: 'release', clientId, packetId: this.#u16() || null };
      }
      case BARRIER:
        return { kind: 'barrier' };
      default:
        throw new Error(`pack: unknown kind ${kind} at byte ${this.#at - 1}`);
    }
  }

  #records(): PackedRecord[] {
    const records: PackedRecord[] = new Array(this.#u32());
    for (let i = 0; i < records.length; i++) {
      const stream = STREAMS[this.#byte()];
      if (stream === undefined) throw new Error(`pack: unknown stream at byte ${this.#at - 1}`);
      records[i] = { stream, body: this.#blob() };
    }
    return records;
  }

  #refused(): RefusedMessage {
    const source = SOURCES[this.#byte()] ?? 'mqtt';
    const receivedAt = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return { source, receivedAt, reason: this.#text(), channel: this.#text(), payload: this.#blob() };
  }

  #key(): DeviceKey {
    return { device: this.#text(), key: this.#text(), fingerprint: this.#bytesOf(FINGERPRINT_BYTES) };
  }

  #handshake(): Handshake | null {
    const clientId = this.#text();
    const packetId = this.#u16();
    return clientId === '' ? null : { clientId, packetId };
  }

  #text(): string {
    const length = this.#u16();
    this.#at += length;
    return this.#bytes.toString('utf8', this.#at - length, this.#at);
  }

  #blob(): Buffer {
    return this.#bytesOf(this.#u32());
  }

  #bytesOf(length: number): Buffer {
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  #byte(): number {
    this.#at += 1;
    return this.#bytes.readUInt8(this.#at - 1);
  }

  #u16(): number {
    this.#at += 2;
    return this.#bytes.readUInt16LE(this.#at - 2);
  }

  #u32(): number {
    this.#at += 4;
    return this.#bytes.readUInt32LE(this.#at - 4);
  }
}
