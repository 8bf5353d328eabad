import { detached, type LocalPacket } from './packet.ts';
import { matchesFilter } from './topics.ts';

export interface RetainedLimits {
  readonly maxTopics: number;
  readonly maxBytes: number;
}

/** The last retained message of each topic [MQTT-3.3.1-5], bounded in count and bytes. */
export class RetainedMessages {
  readonly #limits: RetainedLimits;
  readonly #packets = new Map<string, LocalPacket>();
  #bytes = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  /** An empty payload removes [MQTT-3.3.1-10]. False when there is no room; then the topic has none. */
  put(packet: LocalPacket): boolean {
    const known = this.#packets.get(packet.topic);
    if (known !== undefined) {
      this.#packets.delete(packet.topic);
      this.#bytes -= known.payload.length;
    }
    if (packet.payload.length === 0) return true;
    if (!this.#hasRoom(packet)) return false;
    this.#packets.set(packet.topic, detached(packet));
    this.#bytes += packet.payload.length;
    return true;
  }

  /** For the broker's own topics always: they are as many as there are devices. */
  #hasRoom({ clientId, payload }: LocalPacket): boolean {
    const { maxTopics, maxBytes } = this.#limits;
    return clientId === null || (this.#packets.size < maxTopics && this.#bytes + payload.length <= maxBytes);
  }

  *matching(filters: readonly string[]): Generator<LocalPacket> {
    for (const filter of filters) {
      if (!/[+#]/.test(filter)) {
        const packet = this.#packets.get(filter);
        if (packet !== undefined) yield packet;
        continue;
      }
      for (const packet of this.#packets.values()) if (matchesFilter(filter, packet.topic)) yield packet;
    }
  }
}
