import { keptBytes, type LocalPacket } from './packet.ts';

/** What aedes writes to a session and waits for: a message, or the PUBREL that took its place. */
export interface Outgoing {
  readonly cmd: 'publish' | 'pubrel';
  readonly packet: LocalPacket;
  messageId: number | undefined;
}

/** Messages of one session that are not acknowledged yet, sent or not, oldest first. */
export class OutgoingQueue {
  readonly #entries = new Map<number, Outgoing>();
  /** Packet id → place. */
  readonly #sent = new Map<number, number>();
  #bytes = 0;

  get count(): number {
    return this.#entries.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(packet: LocalPacket): void {
    this.#entries.set(packet.brokerCounter, { cmd: 'publish', packet, messageId: undefined });
    this.#bytes += keptBytes(packet);
  }

  /** The message leaves under this packet id. */
  sent(brokerCounter: number, messageId: number): void {
    const entry = this.#entries.get(brokerCounter);
    if (entry === undefined) return;
    if (entry.messageId !== undefined) this.#sent.delete(entry.messageId);
    entry.messageId = messageId;
    this.#sent.set(messageId, brokerCounter);
  }

  /** PUBREC came: from now on PUBREL is what is sent again [MQTT-4.3.3-1]. */
  released(messageId: number): void {
    const place = this.#sent.get(messageId);
    const entry = place === undefined ? undefined : this.#entries.get(place);
    if (place !== undefined && entry !== undefined) this.#entries.set(place, { ...entry, cmd: 'pubrel' });
  }

  /** By packet id when it has one, else by its place. */
  remove({ messageId, brokerCounter }: { messageId?: number; brokerCounter?: number }): Outgoing | undefined {
    const place = messageId === undefined ? brokerCounter : this.#sent.get(messageId);
    const entry = place === undefined ? undefined : this.#entries.get(place);
    if (place === undefined || entry === undefined) return undefined;
    this.#entries.delete(place);
    if (entry.messageId !== undefined) this.#sent.delete(entry.messageId);
    this.#bytes -= keptBytes(entry.packet);
    return entry;
  }

  list(): readonly Outgoing[] {
    return [...this.#entries.values()];
  }
}
