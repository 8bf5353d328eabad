import { Buffer } from 'node:buffer';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { deviceOfTopic } from '../../core/device-topic.ts';
import { FilterTree } from '../../core/filter-tree.ts';
import { ownBytes } from '../../core/own-copy.ts';
import type { RetainedMessage as StoredMessage } from '../../core/session.ts';
import type { SessionStore } from '../../core/state-store.ts';
import type { Qos } from './packet.ts';
import { type Claim, type RetainedLimits, RetainedRoom } from './retained-room.ts';

const TOPICS_PER_TURN = 250;

type Store = Pick<SessionStore, 'loadRetained' | 'salvaged'>;

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
  readonly #maxTouched: number;
  readonly #packets = new Map<string, RetainedPacket>();
  /** While those of the last start are read: what was taken meanwhile is newer. */
  #touched: Set<string> | undefined;
  /** For the end of a salvage. */
  #isWaiting = false;
  /** Topics whose message was read, while it may be read again. */
  readonly #restored = new Set<string>();
  #loading: Promise<void> = Promise.resolve();

  constructor(limits: RetainedLimits) {
    this.#room = new RetainedRoom(limits);
    this.#maxTouched = limits.maxTopics;
  }

  /**
   * Takes the room for a message that comes next in its topic, before it is stored. False when there is none: then the
   * topic is to have no message, rather than an old one.
   */
  take(claim: Claim): boolean {
    this.#touch(claim.topic);
    return this.#room.take(claim);
  }

  /** From now on subscribers get it: it is stored. In the order of `take`. An empty payload removes [MQTT-3.3.1-10]. */
  put({ topic, qos, payload }: RetainedMessage): void {
    this.#packets.delete(topic);
    if (payload.length === 0) return;
    // It must not hold on to the chunk of the socket it was cut from.
    this.#packets.set(topic, { cmd: 'publish', retain: true, topic, qos, payload: ownBytes(payload) });
  }

  /**
   * Reads what was retained when the gateway stopped, page by page, while clients are served already, and once more when a
   * damaged log is put back: the last of them stand there. Whoever asks meanwhile waits for what is being read. Resolves
   * when all is there. `onNoRoom`: newer ones have taken the room of a topic's.
   */
  async restore(store: Store, onNoRoom: (topic: string) => void): Promise<void> {
    this.#touched = new Set();
    await this.#load(store, onNoRoom);
    this.#isWaiting = true;
    const salvaged = await store.salvaged();
    this.#isWaiting = false;
    if (salvaged !== null && this.#touched !== undefined) await this.#load(store, onNoRoom);
    this.#touched = undefined;
    this.#restored.clear();
  }

  /** What is put back may take hours: where more topics than there is room for are touched in that time, it is not read. */
  #touch(topic: string): void {
    this.#touched?.add(topic);
    const isTooMuch = (this.#touched?.size ?? 0) > this.#maxTouched;
    if (this.#isWaiting && isTooMuch) this.#touched = undefined;
  }

  #load(store: Store, onNoRoom: (topic: string) => void): Promise<void> {
    this.#loading = this.#read(store, onNoRoom);
    return this.#loading;
  }

  async #read(store: Store, onNoRoom: (topic: string) => void): Promise<void> {
    this.#forgetRestored();
    let page = await store.loadRetained('', TOPICS_PER_TURN);
    while (page.length > 0) {
      for (const message of page) if (this.#touched?.has(message.topic) !== true) this.#takeBack(message, onNoRoom);
      page = await store.loadRetained(page.at(-1)?.topic ?? '', TOPICS_PER_TURN);
    }
  }

  #takeBack({ topic, qos, payload }: StoredMessage, onNoRoom: (topic: string) => void): void {
    const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
    // Who sent it is not known any more: most likely the device that has the topic.
    const owner = deviceOfTopic(topic) ?? null;
    if (!this.#room.takeBack({ topic, payload: bytes, owner })) {
      onNoRoom(topic);
      return;
    }
    this.put({ topic, qos, payload: bytes });
    this.#restored.add(topic);
  }

  /** They may have been replaced or removed in what is read now. */
  #forgetRestored(): void {
    for (const topic of this.#restored) {
      if (this.#touched?.has(topic) === true) continue;
      this.#room.free(topic);
      this.#packets.delete(topic);
    }
    this.#restored.clear();
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
