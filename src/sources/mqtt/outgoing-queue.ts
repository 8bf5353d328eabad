import type { Buffer } from 'node:buffer';
import type { Place } from '../../core/session.ts';
import { keptBytes } from './packet.ts';

/** A message of one session that is not acknowledged yet. */
export interface Outgoing {
  readonly place: Place;
  readonly packetId: number;
  readonly qos: 1 | 2;
  topic: string;
  payload: Buffer;
  /** Milliseconds since 1970; 0 when the clock did not know. */
  at: number;
  /** It survives a power cut: not sent before. */
  stored: boolean;
  /** Topic and payload are those of a record that is not put back yet of a damaged log: not sent before. */
  awaited: boolean;
  /** It may have been sent before. */
  repeated: boolean;
  /** PUBREC came: PUBREL is what is sent from now on [MQTT-4.3.3-1]. */
  released: boolean;
}

const MAX_PACKET_ID = 65_535;

/** Messages of one session, oldest first. Each has its packet id from the beginning. */
export class OutgoingQueue {
  /** By packet id. */
  readonly #entries = new Map<number, Outgoing>();
  /** Not sent over this connection yet. */
  readonly #unsent = new Set<Outgoing>();
  #lastPacketId = 0;
  #bytes = 0;

  get count(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Nothing waits to be sent. */
  get isSent(): boolean {
    return this.#unsent.size === 0;
  }

  /** One that nothing in the queue has [MQTT-2.3.1-4]; undefined when all are taken. */
  nextPacketId(): number | undefined {
    if (this.#entries.size >= MAX_PACKET_ID) return undefined;
    do {
      this.#lastPacketId = (this.#lastPacketId % MAX_PACKET_ID) + 1;
    } while (this.#entries.has(this.#lastPacketId));
    return this.#lastPacketId;
  }

  add(entry: Outgoing): void {
    this.#entries.set(entry.packetId, entry);
    this.#unsent.add(entry);
    this.#bytes += keptBytes(entry);
    this.#lastPacketId = entry.packetId;
  }

  /** What an entry has waited for came. */
  complete(entry: Outgoing, { topic, payload }: Pick<Outgoing, 'topic' | 'payload'>): void {
    Object.assign(entry, { topic, payload, awaited: false });
    this.#bytes += keptBytes(entry);
  }

  /** The next one to be sent, when it is on disk and there: order goes before haste [MQTT-4.6.0-6]. */
  next(): Outgoing | undefined {
    for (const entry of this.#unsent) return entry.stored && !entry.awaited ? entry : undefined;
    return undefined;
  }

  sent(entry: Outgoing): void {
    this.#unsent.delete(entry);
    entry.repeated = true;
  }

  /** A new connection: all of it is sent again, in the same order [MQTT-4.4.0-1]. */
  rewind(): void {
    this.#unsent.clear();
    for (const entry of this.#entries.values()) this.#unsent.add(entry);
  }

  get(packetId: number): Outgoing | undefined {
    return this.#entries.get(packetId);
  }

  remove(packetId: number): Outgoing | undefined {
    const entry = this.#entries.get(packetId);
    if (entry === undefined) return undefined;
    this.#entries.delete(packetId);
    this.#unsent.delete(entry);
    this.#bytes -= keptBytes(entry);
    return entry;
  }

  list(): readonly Outgoing[] {
    return [...this.#entries.values()];
  }
}
