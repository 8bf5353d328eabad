import { detached, keptBytes, type LocalPacket } from './packet.ts';
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
      this.#bytes -= keptBytes(known);
    }
    if (packet.payload.length === 0) return true;
    if (!this.#hasRoom(packet)) return false;
    this.#packets.set(packet.topic, detached(packet));
    this.#bytes += keptBytes(packet);
    return true;
  }

  /** For the broker's own topics always: they are as many as there are devices. */
  #hasRoom(packet: LocalPacket): boolean {
    const { maxTopics, maxBytes } = this.#limits;
    const { size } = this.#packets;
    return packet.clientId === null || (size < maxTopics && this.#bytes + keptBytes(packet) <= maxBytes);
  }

  *matching(filters: readonly string[]): Generator<LocalPacket> {
    for (const filter of filters) {
      const wildcardAt = filter.search(/[+#]/);
      if (wildcardAt === -1) {
        const packet = this.#packets.get(filter);
        if (packet !== undefined) yield packet;
      } else {
        // Without the separator in front of the wildcard: `a/#` matches `a` too.
        yield* this.#search(filter, filter.slice(0, Math.max(0, wildcardAt - 1)));
      }
    }
  }

  *#search(filter: string, prefix: string): Generator<LocalPacket> {
    for (const packet of this.#packets.values()) {
      if (packet.topic.startsWith(prefix) && matchesFilter(filter, packet.topic)) yield packet;
    }
  }
}
