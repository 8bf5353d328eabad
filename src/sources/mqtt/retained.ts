import { Buffer } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { FilterTree } from '../../core/filter-tree.ts';
import type { SessionStore } from '../../core/ports.ts';
import { keptBytes, type Qos } from './packet.ts';

const TOPICS_PER_TURN = 250;

export interface RetainedMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  /** Who sent it, or null for the broker. */
  readonly clientId: string | null;
}

/** In the shape that aedes hands around. */
export interface RetainedPacket extends RetainedMessage {
  readonly cmd: 'publish';
  readonly retain: true;
}

export interface RetainedLimits {
  readonly maxTopics: number;
  readonly maxBytes: number;
  /** Of the broker's own, beside the others. */
  readonly maxOwnTopics: number;
}

/** The last retained message of each topic [MQTT-3.3.1-5], bounded in count and bytes. */
export class RetainedMessages {
  readonly #limits: RetainedLimits;
  readonly #packets = new Map<string, RetainedPacket>();
  /** While those of the last start are read: what was put meanwhile is newer. */
  #touched: Set<string> | undefined;
  #loading: Promise<void> = Promise.resolve();
  #bytes = 0;
  #ownCount = 0;

  constructor(limits: RetainedLimits) {
    this.#limits = limits;
  }

  /** An empty payload removes [MQTT-3.3.1-10]. False when there is no room; then the topic has none. */
  put(packet: RetainedMessage): boolean {
    this.#touched?.add(packet.topic);
    return this.#put(packet);
  }

  /**
   * Reads what was retained when the gateway stopped, page by page, while clients are served already. Resolves when all
   * of it is there; whoever asks meanwhile waits for that.
   */
  restore(store: Pick<SessionStore, 'loadRetained'>): Promise<void> {
    this.#loading = this.#restore(store);
    return this.#loading;
  }

  async #restore(store: Pick<SessionStore, 'loadRetained'>): Promise<void> {
    this.#touched = new Set();
    let page = await store.loadRetained('', TOPICS_PER_TURN);
    while (page.length > 0) {
      for (const { topic, qos, payload } of page) {
        const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
        if (!this.#touched.has(topic)) this.#put({ topic, qos, payload: bytes, clientId: '' });
      }
      page = await store.loadRetained(page.at(-1)?.topic ?? '', TOPICS_PER_TURN);
    }
    this.#touched = undefined;
  }

  #put(packet: RetainedMessage): boolean {
    const known = this.#packets.get(packet.topic);
    if (known !== undefined) {
      this.#packets.delete(packet.topic);
      this.#bytes -= keptBytes(known);
      if (known.clientId === null) this.#ownCount -= 1;
    }
    if (packet.payload.length === 0) return true;
    if (!this.#hasRoom(packet)) return false;
    const { topic, qos, payload, clientId } = packet;
    // Its own bytes: it must not hold on to the chunk of the socket it was cut from.
    const kept = { topic, qos, payload: Buffer.from(payload), clientId };
    this.#packets.set(topic, { cmd: 'publish', retain: true, ...kept });
    this.#bytes += keptBytes(packet);
    if (packet.clientId === null) this.#ownCount += 1;
    return true;
  }

  /** Clients leave the broker's own topics their room: they are as many as there are devices. */
  #hasRoom(packet: RetainedMessage): boolean {
    const { maxTopics, maxBytes, maxOwnTopics } = this.#limits;
    if (packet.clientId === null) return this.#ownCount < maxOwnTopics;
    return this.#packets.size - this.#ownCount < maxTopics && this.#bytes + keptBytes(packet) <= maxBytes;
  }

  /** Once for each filter that matches. Others have their turn in between, whoever asks for however much. */
  async *matching(filters: readonly string[]): AsyncGenerator<RetainedPacket> {
    await this.#loading;
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
