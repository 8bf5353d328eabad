import { setImmediate as nextTurn } from 'node:timers/promises';
import { FilterTree } from '../../core/filter-tree.ts';
import { detached, keptBytes, type LocalPacket } from './packet.ts';

const TOPICS_PER_TURN = 250;

export interface RetainedLimits {
  readonly maxTopics: number;
  readonly maxBytes: number;
  /** Of the broker's own, beside the others. */
  readonly maxOwnTopics: number;
}

/** The last retained message of each topic [MQTT-3.3.1-5], bounded in count and bytes. */
export class RetainedMessages {
  readonly #limits: RetainedLimits;
  readonly #packets = new Map<string, LocalPacket>();
  #bytes = 0;
  #ownCount = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  /** An empty payload removes [MQTT-3.3.1-10]. False when there is no room; then the topic has none. */
  put(packet: LocalPacket): boolean {
    const known = this.#packets.get(packet.topic);
    if (known !== undefined) {
      this.#packets.delete(packet.topic);
      this.#bytes -= keptBytes(known);
      if (known.clientId === null) this.#ownCount -= 1;
    }
    if (packet.payload.length === 0) return true;
    if (!this.#hasRoom(packet)) return false;
    this.#packets.set(packet.topic, detached(packet));
    this.#bytes += keptBytes(packet);
    if (packet.clientId === null) this.#ownCount += 1;
    return true;
  }

  /** Clients leave the broker's own topics their room: they are as many as there are devices. */
  #hasRoom(packet: LocalPacket): boolean {
    const { maxTopics, maxBytes, maxOwnTopics } = this.#limits;
    if (packet.clientId === null) return this.#ownCount < maxOwnTopics;
    return this.#packets.size - this.#ownCount < maxTopics && this.#bytes + keptBytes(packet) <= maxBytes;
  }

  /** Once for each filter that matches. Others have their turn in between, whoever asks for however much. */
  async *matching(filters: readonly string[]): AsyncGenerator<LocalPacket> {
    const wildcards = new FilterTree<string>();
    let hasWildcard = false;
    for (const filter of filters) {
      const packet = this.#packets.get(filter);
      if (packet !== undefined) yield packet;
      if (!/[+#]/.test(filter)) continue;
      wildcards.add(filter, filter);
      hasWildcard = true;
    }
    if (!hasWildcard) return;
    let lookedAt = 0;
    for (const packet of this.#packets.values()) {
      for (const _ of wildcards.match(packet.topic)) yield packet;
      lookedAt += 1;
      if (lookedAt % TOPICS_PER_TURN === 0) await nextTurn();
    }
  }
}
