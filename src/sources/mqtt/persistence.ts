import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import type { Handshakes } from './handshakes.ts';
import type { Outgoing } from './outgoing-queue.ts';
import type { LocalPacket } from './packet.ts';
import type { RetainedMessages } from './retained.ts';
import type { Sessions, StoredSubscription } from './sessions.ts';

/** Nobody may subscribe to it, so restoring it does nothing. */
const MARK: StoredSubscription = { topic: '$SYS/session', qos: 0 };

/** What aedes hands over as its client; where nothing is known but the id, only that. */
export interface SessionClient {
  readonly id: string;
}

export interface ConnectedClient extends SessionClient {
  readonly conn: Duplex;
}

export function isSessionMark(filter: string): boolean {
  return filter === MARK.topic;
}

interface PacketOfClient {
  readonly cmd?: string;
  readonly messageId?: number;
  readonly brokerCounter?: number;
}

export interface PersistenceOptions {
  readonly sessions: Sessions;
  readonly retained: RetainedMessages;
  readonly handshakes: Handshakes;
  /** The subscriptions that were granted to a client since this was asked last. */
  readonly takeGranted: (client: ConnectedClient) => readonly StoredSubscription[];
}

/**
 * The session state behind aedes: its persistence interface [aedes-persistence 11] on top of our own stores, which
 * are bounded, change at once (aedes routes in several asynchronous steps) and release QoS 2 keys durably.
 * Wills stay with the connection: they are kept for other brokers of a cluster only.
 */
export class Persistence {
  readonly #sessions: Sessions;
  readonly #retained: RetainedMessages;
  readonly #handshakes: Handshakes;
  readonly #takeGranted: PersistenceOptions['takeGranted'];

  constructor({ sessions, retained, handshakes, takeGranted }: PersistenceOptions) {
    this.#sessions = sessions;
    this.#retained = retained;
    this.#handshakes = handshakes;
    this.#takeGranted = takeGranted;
  }

  /** aedes asks that it be an async function. */
  async setup(): Promise<void> {}

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(this.#retained.matching(filters));
  }

  /**
   * aedes says "session present" when it gets a subscription; the standard when there is any state at all
   * [MQTT-3.2.2-2], and an open QoS 2 exchange is state: a client told otherwise may use its packet id again.
   */
  async subscriptionsByClient({ id }: SessionClient): Promise<readonly StoredSubscription[]> {
    const known = this.#sessions.resume(id) || this.#handshakes.has(id);
    return known ? [{ ...MARK }, ...this.#sessions.subscriptions(id)] : [];
  }

  /** aedes calls this for each subscription of a SUBSCRIBE, and hands over all of them, those that were denied included. */
  async addSubscriptions(client: ConnectedClient): Promise<void> {
    for (const subscription of this.#takeGranted(client)) this.#sessions.subscribe(client.id, subscription);
  }

  async removeSubscriptions({ id }: SessionClient, filters: readonly string[]): Promise<void> {
    this.#sessions.unsubscribe(id, filters);
  }

  async cleanSubscriptions({ id }: SessionClient): Promise<void> {
    this.#sessions.end(id);
  }

  outgoingStream({ id }: SessionClient): Readable {
    return Readable.from((this.#sessions.queueOf(id)?.list() ?? []).map(resent));
  }

  /** Never fails: aedes would drop the connection for a PUBREC that nobody waits for. */
  async outgoingUpdate({ id }: SessionClient, { cmd, messageId, brokerCounter }: PacketOfClient): Promise<void> {
    const queue = this.#sessions.queueOf(id);
    if (queue === undefined || messageId === undefined) return;
    if (cmd === 'pubrel') queue.released(messageId);
    else if (brokerCounter !== undefined) queue.sent(brokerCounter, messageId);
  }

  async outgoingClearMessageId({ id }: SessionClient, packet: PacketOfClient): Promise<LocalPacket | undefined> {
    return this.#sessions.dequeue(id, packet);
  }

  async incomingStorePacket({ id }: SessionClient, { messageId }: { readonly messageId: number }): Promise<void> {
    this.#handshakes.received(id, messageId);
  }

  /** Rejects when the packet is not known, as aedes expects it. */
  async incomingGetPacket({ id }: SessionClient, packet: { cmd: string; messageId: number }): Promise<object> {
    const { cmd, messageId } = packet;
    const known =
      cmd === 'pubrel' ? this.#handshakes.isOpen(id, messageId) : this.#handshakes.isReceived(id, messageId);
    if (!known) throw new Error('no such packet');
    return packet;
  }

  async incomingDelPacket({ id }: SessionClient, { messageId }: { readonly messageId: number }): Promise<void> {
    await this.#handshakes.release(id, messageId);
  }

  /** Also called when a connection ends that was refused; then there is no id, so that nobody else's session suffers. */
  async cleanIncoming({ id }: { readonly id: string | null }): Promise<void> {
    if (id !== null) await this.#handshakes.releaseAll(id);
  }

  async putWill(): Promise<void> {}

  async delWill(): Promise<void> {}

  streamWill(): Readable {
    return Readable.from([]);
  }
}

/** A message that was sent before goes out as a repetition [MQTT-3.3.1-1], under the packet id it had. */
function resent({ cmd, packet, messageId }: Outgoing): object {
  return { ...packet, cmd, messageId, dup: cmd === 'publish' && messageId !== undefined };
}
