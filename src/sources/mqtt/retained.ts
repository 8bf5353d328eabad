import { Buffer } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deviceOfTopic } from '../../core/device-topic.ts';
import { FilterTree } from '../../core/filter-tree.ts';
import type { SessionStore } from '../../core/ports.ts';
import type { Qos } from './packet.ts';
import { type Claim, type RetainedLimits, RetainedRoom } from './retained-room.ts';

const TOPICS_PER_TURN = 250;

export interface RetainedMessage {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
}

/** In the shape that aedes hands around. */
export interface RetainedPacket extends RetainedMessage {
  readonly cmd: 'publish';
  readonly retain: true;
}

/** The last retained message of each topic [MQTT-3.3.1-5], bounded in count and bytes. */
export class RetainedMessages {
  readonly #room: RetainedRoom;
  readonly #packets = new Map<string, RetainedPacket>();
  /** While those of the last start are read: what was taken meanwhile is newer. */
  #touched: Set<string> | undefined;
  #loading: Promise<void> = Promise.resolve();

  constructor(limits: RetainedLimits) {
    this.#room = new RetainedRoom(limits);
  }

  /**
   * Takes the room for a message that comes next in its topic, before it is stored. False when there is none: then the
   * topic is to have no message, rather than an old one.
   */
  take(claim: Claim): boolean {
    this.#touched?.add(claim.topic);
    return this.#room.take(claim);
  }

  /** From now on subscribers get it: it is stored. In the order of `take`. An empty payload removes [MQTT-3.3.1-10]. */
  put({ topic, qos, payload }: RetainedMessage): void {
    this.#packets.delete(topic);
    if (payload.length === 0) return;
    // Its own bytes: it must not hold on to the chunk of the socket it was cut from.
    this.#packets.set(topic, { cmd: 'publish', retain: true, topic, qos, payload: Buffer.from(payload) });
  }

  /**
   * Reads what was retained when the gateway stopped, page by page, while clients are served already. Resolves when all
   * of it is there; whoever asks meanwhile waits for that. `onNoRoom`: newer ones have taken the room of a topic's.
   */
  restore(store: Pick<SessionStore, 'loadRetained'>, onNoRoom: (topic: string) => void): Promise<void> {
    this.#loading = this.#restore(store, onNoRoom);
    return this.#loading;
  }

  async #restore(store: Pick<SessionStore, 'loadRetained'>, onNoRoom: (topic: string) => void): Promise<void> {
    this.#touched = new Set();
    let page = await store.loadRetained('', TOPICS_PER_TURN);
    while (page.length > 0) {
      for (const { topic, qos, payload } of page) {
        if (this.#touched.has(topic)) continue;
        const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
        // Who sent it is not known any more: most likely the device that has the topic.
        const owner = deviceOfTopic(topic) ?? null;
        if (this.#room.takeBack({ topic, payload: bytes, owner })) this.put({ topic, qos, payload: bytes });
        else onNoRoom(topic);
      }
      page = await store.loadRetained(page.at(-1)?.topic ?? '', TOPICS_PER_TURN);
    }
    this.#touched = undefined;
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
