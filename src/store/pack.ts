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
 * | 7 untaken | handshake · u8 reason · u8 stream · text device · u32 count · f64 bytes · f64 firstAt · f64 lastAt · keep |
 *
 * text: u16 length, UTF-8. handshake: text client id (empty: none), u32 packet id.
 * keep: u8 kind: 0 nothing, 1 the record, 2 with u32 length, payload behind it · f64 place · u8 retained · u8 QoS ·
 * f64 at · text topic · u32 copies · per copy: f64 session, u16 packet id, u8 QoS · payload.
 */

import { Buffer } from 'node:buffer';
import type { LogEntry } from '../core/ports.ts';
import type { DeviceKey, Handshake, RefusedMessage, Source, Untaken } from '../core/record.ts';
import { maxEncodedBytes, writeRecord } from '../core/record-codec.ts';
import type { KeptMessage, Qos, QueueChange, QueuedCopy } from '../core/session.ts';
import { STREAMS, type Stream } from '../core/stream.ts';
import { ByteReader } from './byte-reader.ts';
import { GrowingBytes } from './growing-bytes.ts';

const RECORDS = 1;
const REFUSED = 2;
const RELEASE = 3;
const BARRIER = 4;
const KEYED_RECORDS = 5;
const QUEUES = 6;
const UNTAKEN = 7;
const FINGERPRINT_BYTES = 32;
const KEPT_NOTHING = 0;
const KEPT_RECORD = 1;
const KEPT_PAYLOAD = 2;
const CHANGES: readonly QueueChange['kind'][] = ['released', 'removed', 'ended'];
const UNTAKEN_REASONS: readonly Untaken['reason'][] = ['share', 'overrun'];
const SOURCES: readonly Source[] = ['mqtt', 'serial', 'http'];
const NO_HANDSHAKE: Handshake = { clientId: '', packetId: 0 };

/** Packs entries one behind the other, in the layout above. `unpack` is its counterpart. */
export class PackWriter {
  readonly #bytes = new GrowingBytes();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get byteLength(): number {
    return this.#bytes.length;
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
      case 'untaken':
        this.#addUntaken(entry);
        break;
      case 'queues':
        this.#addChanges(entry.changes);
        break;
      case 'release':
        this.#bytes.byte(RELEASE);
        this.#handshake({ clientId: entry.clientId, packetId: entry.packetId ?? 0 });
        break;
      case 'barrier':
        this.#bytes.byte(BARRIER);
        break;
    }
  }

  /** The packed bytes in a buffer of their own, ready to be transferred. */
  take(): { buffer: ArrayBuffer; byteLength: number; count: number } {
    const taken = { ...this.#bytes.take(), count: this.#count };
    this.#count = 0;
    return taken;
  }

  #addRecords(entry: Extract<LogEntry, { kind: 'records' }>): void {
    if (entry.idempotency === undefined) this.#bytes.byte(RECORDS);
    else this.#key(entry.idempotency);
    this.#handshake(entry.handshake ?? NO_HANDSHAKE);
    this.#bytes.u32(entry.records.length);
    for (const record of entry.records) {
      this.#bytes.byte(STREAMS.indexOf(record.stream));
      this.#bytes.written(maxEncodedBytes(record), (buffer, at) => writeRecord(buffer, at, record));
    }
    this.#keep(entry.keep);
  }

  #addRefused({ message, handshake, keep }: Extract<LogEntry, { kind: 'refused' }>): void {
    this.#bytes.byte(REFUSED);
    this.#handshake(handshake ?? NO_HANDSHAKE);
    this.#bytes.byte(SOURCES.indexOf(message.source));
    this.#bytes.f64(message.receivedAt);
    this.#bytes.text(message.reason);
    this.#bytes.text(message.channel);
    this.#bytes.blob(message.payload);
    this.#keep(keep);
  }

  #addUntaken({ untaken, handshake, keep }: Extract<LogEntry, { kind: 'untaken' }>): void {
    this.#bytes.byte(UNTAKEN);
    this.#handshake(handshake ?? NO_HANDSHAKE);
    this.#bytes.byte(UNTAKEN_REASONS.indexOf(untaken.reason));
    this.#bytes.byte(STREAMS.indexOf(untaken.stream));
    this.#bytes.text(untaken.device);
    this.#bytes.u32(untaken.count);
    this.#bytes.f64(untaken.bytes);
    this.#bytes.f64(untaken.firstAt);
    this.#bytes.f64(untaken.lastAt);
    this.#keep(keep);
  }

  #addChanges(changes: readonly QueueChange[]): void {
    this.#bytes.byte(QUEUES);
    this.#bytes.u32(changes.length);
    for (const change of changes) {
      this.#bytes.byte(CHANGES.indexOf(change.kind));
      this.#bytes.f64(change.session);
      this.#bytes.f64('place' in change ? change.place : 0);
    }
  }

  #keep(keep: KeptMessage | undefined): void {
    if (keep === undefined) {
      this.#bytes.byte(KEPT_NOTHING);
      return;
    }
    this.#bytes.byte(keep.payload === null ? KEPT_RECORD : KEPT_PAYLOAD);
    this.#bytes.f64(keep.place);
    this.#bytes.byte(keep.retained ? 1 : 0);
    this.#bytes.byte(keep.qos);
    this.#bytes.f64(keep.at);
    this.#bytes.text(keep.topic);
    this.#bytes.u32(keep.copies.length);
    for (const { session, packetId, qos } of keep.copies) {
      this.#bytes.f64(session);
      this.#bytes.u16(packetId);
      this.#bytes.byte(qos);
    }
    if (keep.payload !== null) this.#bytes.blob(keep.payload);
  }

  #key({ device, key, fingerprint }: DeviceKey): void {
    this.#bytes.byte(KEYED_RECORDS);
    this.#bytes.text(device);
    this.#bytes.text(key);
    this.#bytes.raw(fingerprint);
  }

  #handshake({ clientId, packetId }: Handshake): void {
    this.#bytes.text(clientId);
    this.#bytes.u32(packetId);
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
  | Extract<LogEntry, { readonly kind: 'refused' | 'untaken' | 'queues' }>
  | { readonly kind: 'release'; readonly clientId: string; readonly packetId: number | null }
  | { readonly kind: 'barrier' };

/** Reads what a PackWriter wrote. Bodies and payloads are views into the buffer. */
export function unpack(buffer: ArrayBuffer, byteLength: number): PackedEntry[] {
  const reader = new PackReader(new ByteReader(Buffer.from(buffer, 0, byteLength)));
  const entries: PackedEntry[] = [];
  while (!reader.done) entries.push(reader.entry());
  return entries;
}

class PackReader {
  readonly #bytes: ByteReader;

  constructor(bytes: ByteReader) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#bytes.done;
  }

  entry(): PackedEntry {
    const kind = this.#bytes.byte();
    switch (kind) {
      case RECORDS:
        return this.#recordsEntry();
      case KEYED_RECORDS:
        return { idempotency: this.#key(), ...this.#recordsEntry() };
      case REFUSED:
        return { kind: 'refused', handshake: this.#handshake(), message: this.#refused(), keep: this.#keep() };
      case UNTAKEN:
        return { kind: 'untaken', handshake: this.#handshake(), untaken: this.#untaken(), keep: this.#keep() };
      case QUEUES:
        return { kind: 'queues', changes: this.#changes() };
      case RELEASE: {
        const clientId = this.#bytes.text();
        return { kind: 'release', clientId, packetId: this.#bytes.u32() || null };
      }
      case BARRIER:
        return { kind: 'barrier' };
      default:
        throw new Error(`pack: unknown kind ${kind} at byte ${this.#bytes.at - 1}`);
    }
  }

  #records(): PackedRecord[] {
    const records: PackedRecord[] = new Array(this.#bytes.u32());
    for (let i = 0; i < records.length; i++) records[i] = { stream: this.#stream(), body: this.#bytes.blob() };
    return records;
  }

  #stream(): Stream {
    const stream = STREAMS[this.#bytes.byte()];
    if (stream === undefined) throw new Error(`pack: unknown stream at byte ${this.#bytes.at - 1}`);
    return stream;
  }

  #untaken(): Untaken {
    return {
      reason: UNTAKEN_REASONS[this.#bytes.byte()] ?? 'share',
      stream: this.#stream(),
      device: this.#bytes.text(),
      count: this.#bytes.u32(),
      bytes: this.#bytes.f64(),
      firstAt: this.#bytes.f64(),
      lastAt: this.#bytes.f64(),
    };
  }

  #refused(): RefusedMessage {
    const source = SOURCES[this.#bytes.byte()] ?? 'mqtt';
    const receivedAt = this.#bytes.f64();
    return { source, receivedAt, reason: this.#bytes.text(), channel: this.#bytes.text(), payload: this.#bytes.blob() };
  }

  #recordsEntry(): Extract<PackedEntry, { kind: 'records' }> {
    return { kind: 'records', handshake: this.#handshake(), records: this.#records(), keep: this.#keep() };
  }

  #key(): DeviceKey {
    return { device: this.#bytes.text(), key: this.#bytes.text(), fingerprint: this.#bytes.raw(FINGERPRINT_BYTES) };
  }

  #changes(): QueueChange[] {
    return Array.from({ length: this.#bytes.u32() }, () => {
      const kind = CHANGES[this.#bytes.byte()] ?? 'removed';
      return { kind, session: this.#bytes.f64(), place: this.#bytes.f64() };
    });
  }

  #keep(): KeptMessage | undefined {
    const kind = this.#bytes.byte();
    if (kind === KEPT_NOTHING) return undefined;
    return {
      place: this.#bytes.f64(),
      retained: this.#bytes.byte() === 1,
      qos: this.#bytes.byte() as Qos,
      at: this.#bytes.f64(),
      topic: this.#bytes.text(),
      copies: Array.from({ length: this.#bytes.u32() }, () => this.#copy()),
      payload: kind === KEPT_PAYLOAD ? this.#bytes.blob() : null,
    };
  }

  #copy(): QueuedCopy {
    return { session: this.#bytes.f64(), packetId: this.#bytes.u16(), qos: this.#bytes.byte() as 1 | 2 };
  }

  #handshake(): Handshake | null {
    const clientId = this.#bytes.text();
    const packetId = this.#bytes.u32();
    return clientId === '' ? null : { clientId, packetId };
  }
}
