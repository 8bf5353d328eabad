import type { LogEntry } from '../../core/ports.ts';
import type { DeviceKey, Handshake } from '../../core/record.ts';
import { maxEncodedBytes, writeRecord } from '../../core/record-codec.ts';
import type { KeptMessage, QueueChange } from '../../core/session.ts';
import { STREAMS } from '../../core/stream.ts';
import { GrowingBytes } from './growing-bytes.ts';
import {
  BARRIER,
  CHANGES,
  KEPT_NOTHING,
  KEPT_PAYLOAD,
  KEPT_RECORD,
  KEYED_RECORDS,
  QUEUES,
  RECORDS,
  REFUSED,
  RELEASE,
  SOURCES,
  UNTAKEN,
  UNTAKEN_REASONS,
} from './layout.ts';

const NO_HANDSHAKE: Handshake = { clientId: '', packetId: 0 };

/** Packs entries one behind the other, in the layout of `layout.ts`. `unpack` is its counterpart. */
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
