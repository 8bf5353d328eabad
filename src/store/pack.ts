/**
 * What crosses from the main thread to the store worker: many log entries in one transferable buffer instead of
 * thousands of cloned objects. Little-endian; every entry begins with its kind.
 *
 * | kind | then |
 * |---|---|
 * | 1 records | handshake (below) · u32 record count · per record: u8 stream, u32 length, body (record-codec) · keep |
 * | 2 refused | handshake · u8 source · f64 receivedAt · text reason · text channel · u32 length, payload · keep |
 * | 3 release | handshake; packet id 0 means all of the client |
 * | 4 barrier | – |
 * | 5 keyed records | text device · text key · 32 bytes fingerprint · then as records |
 * | 6 queues | u32 count · per change: u8 kind, f64 session, f64 place |
 * | 7 over share | handshake · u8 stream · text device · u32 count · f64 bytes · f64 receivedAt · keep |
 *
 * text: u16 length, UTF-8. handshake: text client id (empty: none), u16 packet id.
 * keep: u8 kind: 0 nothing, 1 the record, 2 with u32 length, payload behind it · f64 place · u8 retained · u8 QoS ·
 * f64 at · text topic · u32 copies · per copy: f64 session, u16 packet id, u8 QoS · payload.
 */

import { Buffer } from 'node:buffer';
import type { LogEntry } from '../core/ports.ts';
import type { DeviceKey, Handshake, RefusedMessage, RefusedShare, Source } from '../core/record.ts';
import { maxEncodedBytes, writeRecord } from '../core/record-codec.ts';
import type { KeptMessage, Qos, QueueChange, QueuedCopy } from '../core/session.ts';
import { STREAMS, type Stream } from '../core/stream.ts';

const RECORDS = 1;
const REFUSED = 2;
const RELEASE = 3;
const BARRIER = 4;
const KEYED_RECORDS = 5;
const QUEUES = 6;
const OVER_SHARE = 7;
const FINGERPRINT_BYTES = 32;
const KEPT_NOTHING = 0;
const KEPT_RECORD = 1;
const KEPT_PAYLOAD = 2;
const CHANGES: readonly QueueChange['kind'][] = ['released', 'removed', 'ended'];
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
        this.#addRefused(entry);
        break;
      case 'over_share':
        this.#addOverShare(entry);
        break;
      case 'queues':
        this.#addChanges(entry.changes);
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
    this.#keep(entry.keep);
  }

  #addRefused({ message, handshake, keep }: Extract<LogEntry, { kind: 'refused' }>): void {
    this.#byte(REFUSED);
    this.#handshake(handshake ?? NO_HANDSHAKE);
    this.#byte(SOURCES.indexOf(message.source));
    this.#f64(message.receivedAt);
    this.#text(message.reason);
    this.#text(message.channel);
    this.#blob(message.payload);
    this.#keep(keep);
  }

  #addOverShare({ share, handshake, keep }: Extract<LogEntry, { kind: 'over_share' }>): void {
    this.#byte(OVER_SHARE);
    this.#handshake(handshake ?? NO_HANDSHAKE);
    this.#byte(STREAMS.indexOf(share.stream));
    this.#text(share.device);
    this.#u32(share.count);
    this.#f64(share.bytes);
    this.#f64(share.receivedAt);
    this.#keep(keep);
  }

  #addChanges(changes: readonly QueueChange[]): void {
    this.#byte(QUEUES);
    this.#u32(changes.length);
    for (const change of changes) {
      this.#byte(CHANGES.indexOf(change.kind));
      this.#f64(change.session);
      this.#f64('place' in change ? change.place : 0);
    }
  }

  #keep(keep: KeptMessage | undefined): void {
    if (keep === undefined) {
      this.#byte(KEPT_NOTHING);
      return;
    }
    this.#byte(keep.payload === null ? KEPT_RECORD : KEPT_PAYLOAD);
    this.#f64(keep.place);
    this.#byte(keep.retained ? 1 : 0);
    this.#byte(keep.qos);
    this.#f64(keep.at);
    this.#text(keep.topic);
    this.#u32(keep.copies.length);
    for (const { session, packetId, qos } of keep.copies) {
      this.#f64(session);
      this.#u16(packetId);
      this.#byte(qos);
    }
    if (keep.payload !== null) this.#blob(keep.payload);
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
    this.#u16(packetId);
  }

  #blob(bytes: Uint8Array): void {
    this.#u32(bytes.byteLength);
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.byteLength;
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

  #u16(value: number): void {
    this.#reserve(2);
    this.#end = this.#buffer.writeUInt16LE(value, this.#end);
  }

  #f64(value: number): void {
    this.#reserve(8);
    this.#end = this.#buffer.writeDoubleLE(value, this.#end);
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
      readonly keep?: KeptMessage | undefined;
    }
  | Extract<LogEntry, { readonly kind: 'refused' | 'over_share' | 'queues' }>
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
        return this.#recordsEntry();
      case KEYED_RECORDS:
        return { idempotency: this.#key(), ...this.#recordsEntry() };
      case REFUSED:
        return { kind: 'refused', handshake: this.#handshake(), message: this.#refused(), keep: this.#keep() };
      case OVER_SHARE:
        return { kind: 'over_share', handshake: this.#handshake(), share: this.#share(), keep: this.#keep() };
      case QUEUES:
        return { kind: 'queues', changes: this.#changes() };
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
    for (let i = 0; i < records.length; i++) records[i] = { stream: this.#stream(), body: this.#blob() };
    return records;
  }

  #stream(): Stream {
    const stream = STREAMS[this.#byte()];
    if (stream === undefined) throw new Error(`pack: unknown stream at byte ${this.#at - 1}`);
    return stream;
  }

  #share(): RefusedShare {
    return {
      stream: this.#stream(),
      device: this.#text(),
      count: this.#u32(),
      bytes: this.#f64(),
      receivedAt: this.#f64(),
    };
  }

  #refused(): RefusedMessage {
    const source = SOURCES[this.#byte()] ?? 'mqtt';
    const receivedAt = this.#f64();
    return { source, receivedAt, reason: this.#text(), channel: this.#text(), payload: this.#blob() };
  }

  #recordsEntry(): Extract<PackedEntry, { kind: 'records' }> {
    return { kind: 'records', handshake: this.#handshake(), records: this.#records(), keep: this.#keep() };
  }

  #key(): DeviceKey {
    return { device: this.#text(), key: this.#text(), fingerprint: this.#bytesOf(FINGERPRINT_BYTES) };
  }

  #changes(): QueueChange[] {
    return Array.from({ length: this.#u32() }, () => {
      const kind = CHANGES[this.#byte()] ?? 'removed';
      return { kind, session: this.#f64(), place: this.#f64() };
    });
  }

  #keep(): KeptMessage | undefined {
    const kind = this.#byte();
    if (kind === KEPT_NOTHING) return undefined;
    return {
      place: this.#f64(),
      retained: this.#byte() === 1,
      qos: this.#byte() as Qos,
      at: this.#f64(),
      topic: this.#text(),
      copies: Array.from({ length: this.#u32() }, () => this.#copy()),
      payload: kind === KEPT_PAYLOAD ? this.#blob() : null,
    };
  }

  #copy(): QueuedCopy {
    return { session: this.#f64(), packetId: this.#u16(), qos: this.#byte() as 1 | 2 };
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

  #f64(): number {
    this.#at += 8;
    return this.#bytes.readDoubleLE(this.#at - 8);
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
