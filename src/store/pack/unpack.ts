import { Buffer } from 'node:buffer';
import type { LogEntry } from '../../core/ports.ts';
import type { DeviceKey, Handshake, RefusedMessage, Untaken } from '../../core/record.ts';
import type { KeptMessage, Qos, QueueChange, QueuedCopy } from '../../core/session.ts';
import { STREAMS, type Stream } from '../../core/stream.ts';
import { ByteReader } from './byte-reader.ts';
import {
  BARRIER,
  CHANGES,
  FINGERPRINT_BYTES,
  KEPT_NOTHING,
  KEPT_PAYLOAD,
  KEYED_RECORDS,
  QUEUES,
  RECORDS,
  REFUSED,
  RELEASE,
  SOURCES,
  UNTAKEN,
  UNTAKEN_REASONS,
} from './layout.ts';

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
