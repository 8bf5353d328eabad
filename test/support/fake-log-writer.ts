import { Buffer } from 'node:buffer';
import type { Appended, LogEntry, LogWriter, Room } from '../../src/core/ports.ts';
import type {
  DeviceKey,
  Handshake,
  NewRecord,
  RefusedMessage,
  Seq,
  StoredRecord,
  Untaken,
} from '../../src/core/record.ts';

/** What would be on disk. */
class Disk {
  readonly records: StoredRecord[] = [];
  readonly refused: RefusedMessage[] = [];
  readonly untaken: Untaken[] = [];
  readonly handshakes = new Map<string, Handshake>();
  readonly keys = new Map<string, { readonly fingerprint: string; readonly firstSeq: Seq }>();
  lastSeq: Seq = 0;
}

interface Waiting {
  readonly entry: LogEntry;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

const NOTHING: Appended = { firstSeq: 0, duplicate: false };

/** Keeps the promises of the port in memory. A test can hold its commits back, or lose it for good. */
export class FakeLogWriter implements LogWriter {
  readonly #disk: Disk;
  room: Room = { bytes: Number.POSITIVE_INFINITY, capacityBytes: Number.POSITIVE_INFINITY };
  #waiting: Waiting[] = [];
  #isHeld = false;
  #lost: { readonly error: unknown } | null = null;

  constructor(disk = new Disk()) {
    this.#disk = disk;
  }

  get records(): readonly StoredRecord[] {
    return this.#disk.records;
  }

  get refused(): readonly RefusedMessage[] {
    return this.#disk.refused;
  }

  /** Not taken: a device was over its share, or a port had no room. */
  get untaken(): readonly Untaken[] {
    return this.#disk.untaken;
  }

  /** Entries asked for and not yet committed, in order. */
  get waiting(): readonly LogEntry[] {
    return this.#waiting.map(({ entry }) => entry);
  }

  /** Another one on the same data, as after a restart. */
  reopened(): FakeLogWriter {
    return new FakeLogWriter(this.#disk);
  }

  /** Nothing is committed until `release`, as with a full disk. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    this.#commitSoon();
  }

  /** All that waits, and all that comes, is rejected with the error. */
  lose(error: unknown): void {
    this.#lost = { error };
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  append(entry: LogEntry): Promise<Appended> {
    if (this.#lost) return Promise.reject(this.#lost.error);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ entry, resolve, reject });
      this.#commitSoon();
    });
  }

  #commitSoon(): void {
    setImmediate(() => {
      if (this.#isHeld || this.#lost) return;
      const batch = this.#waiting.splice(0);
      const results = batch.map(({ entry }) => this.#store(entry));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] ?? NOTHING);
    });
  }

  #store(entry: LogEntry): Appended {
    switch (entry.kind) {
      case 'records':
        return entry.idempotency === undefined
          ? this.#storeRecords(entry.records, entry.handshake)
          : this.#storeKeyed(entry.records, entry.idempotency);
      case 'refused':
        if (this.#isRepeated(entry.handshake ?? null)) return { firstSeq: 0, duplicate: true };
        this.#disk.refused.push({ ...entry.message, payload: Buffer.from(entry.message.payload) });
        return NOTHING;
      case 'untaken':
        if (this.#isRepeated(entry.handshake)) return { firstSeq: 0, duplicate: true };
        this.#disk.untaken.push(entry.untaken);
        return NOTHING;
      case 'release':
        for (const [key, { clientId, packetId }] of this.#disk.handshakes)
          if (clientId === entry.clientId && (entry.packetId ?? packetId) === packetId)
            this.#disk.handshakes.delete(key);
        return NOTHING;
      case 'queues':
      case 'barrier':
        return NOTHING;
    }
  }

  #storeKeyed(records: readonly NewRecord[], key: DeviceKey): Appended {
    const name = `${key.device} ${key.key}`;
    const fingerprint = Buffer.from(key.fingerprint).toString('hex');
    const known = this.#disk.keys.get(name);
    if (known !== undefined && known.fingerprint !== fingerprint) {
      return { firstSeq: 0, duplicate: false, keyReused: true };
    }
    if (known !== undefined) return { firstSeq: known.firstSeq, duplicate: true };
    const appended = this.#storeRecords(records, null);
    this.#disk.keys.set(name, { fingerprint, firstSeq: appended.firstSeq });
    return appended;
  }

  #isRepeated(handshake: Handshake | null): boolean {
    if (handshake === null) return false;
    const key = `${handshake.packetId} ${handshake.clientId}`;
    if (this.#disk.handshakes.has(key)) return true;
    this.#disk.handshakes.set(key, handshake);
    return false;
  }

  #storeRecords(records: readonly NewRecord[], handshake: Handshake | null): Appended {
    if (this.#isRepeated(handshake)) return { firstSeq: 0, duplicate: true };
    if (records.length === 0) return NOTHING;
    const firstSeq = this.#disk.lastSeq + 1;
    for (const record of records) {
      this.#disk.lastSeq += 1;
      this.#disk.records.push({ ...record, value: Buffer.from(record.value), seq: this.#disk.lastSeq });
    }
    return { firstSeq, duplicate: false };
  }
}
