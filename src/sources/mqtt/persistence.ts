import type { Duplex } from 'node:stream';
import { Readable } from 'node:stream';
import type { StoredSubscription } from '../../core/session.ts';
import type { Identity } from './access.ts';
import type { Handshakes } from './handshakes.ts';
import type { Outgoing } from './outgoing-queue.ts';
import type { RetainedMessages } from './retained.ts';
import type { Sessions } from './sessions.ts';
import type { Will } from './wills.ts';

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
}

interface Admitted {
  readonly identity: Identity;
}

export interface PersistenceOptions {
  readonly sessions: Sessions;
  readonly retained: RetainedMessages;
  readonly handshakes: Handshakes;
  /** The connection that was let in last under a client id, while it is there. */
  readonly admitted: (clientId: string) => Admitted | undefined;
  /** The subscriptions that were granted to a client since this was asked last. */
  readonly takeGranted: (client: ConnectedClient) => readonly StoredSubscription[];
  /** PUBCOMP waits from here on, until what this returns is called. */
  readonly onRelease: (client: ConnectedClient) => () => void;
  /** A client is let in with a will. */
  readonly onWill: (client: ConnectedClient, will: Will) => void;
  /** A client gives subscriptions up. In the order of receipt, as they are granted. */
  readonly onUnsubscribe: (client: ConnectedClient, filters: readonly string[]) => void;
}

/**
 * The session state behind aedes: its persistence interface [aedes-persistence 11] on top of our own stores, which
 * are bounded, and on disk before they answer. What goes out to a session is sent by `Sessions`, not by aedes.
 * Wills are published at the next start, by `PublishHook`: aedes would wait for minutes, and forget one when its
 * client is back before that.
 */
export class Persistence {
  readonly #options: PersistenceOptions;

  constructor(options: PersistenceOptions) {
    this.#options = options;
  }

  /** aedes asks that it be an async function. */
  async setup(): Promise<void> {}

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return Readable.from(this.#options.retained.matching(filters));
  }

  /**
   * aedes says "session present" when it gets a subscription; the standard when there is any state at all
   * [MQTT-3.2.2-2], and an open QoS 2 exchange is state: a client told otherwise may use its packet id again.
   */
  async subscriptionsByClient({ id }: SessionClient): Promise<readonly StoredSubscription[]> {
    const { sessions, handshakes } = this.#options;
    const isPresent = await this.#whileThere(id, ({ identity }) => sessions.resume(id, identity ?? ''));
    return isPresent || handshakes.has(id) ? [{ ...MARK }, ...sessions.subscriptions(id)] : [];
  }

  /** aedes calls this for each subscription of a SUBSCRIBE, and hands over all of them, those that were denied included. */
  async addSubscriptions(client: ConnectedClient): Promise<void> {
    await this.#options.sessions.subscribe(client.id, this.#options.takeGranted(client));
  }

  async removeSubscriptions(client: ConnectedClient, filters: readonly string[]): Promise<void> {
    this.#options.onUnsubscribe(client, filters);
    await this.#options.sessions.unsubscribe(client.id, filters);
  }

  async cleanSubscriptions({ id }: SessionClient): Promise<void> {
    await this.#whileThere(id, () => this.#options.sessions.end(id));
  }

  outgoingStream(_client: SessionClient): Readable {
    return Readable.from([]);
  }

  /** Never fails: aedes would drop the connection for a PUBREC that nobody waits for. */
  async outgoingUpdate({ id }: SessionClient, { cmd, messageId }: PacketOfClient): Promise<void> {
    if (cmd === 'pubrel' && messageId !== undefined) await this.#options.sessions.messages.released(id, messageId);
  }

  /** aedes also calls it, without a packet id, for what it does not hand out because the queue does. */
  async outgoingClearMessageId({ id }: SessionClient, { messageId }: PacketOfClient): Promise<Outgoing | undefined> {
    return messageId === undefined ? undefined : this.#options.sessions.messages.acknowledged(id, messageId);
  }

  async incomingStorePacket({ id }: SessionClient, { messageId }: { readonly messageId: number }): Promise<void> {
    this.#options.handshakes.received(id, messageId);
  }

  /** Rejects when the packet is not known, as aedes expects it. */
  async incomingGetPacket({ id }: SessionClient, packet: { cmd: string; messageId: number }): Promise<object> {
    const { cmd, messageId } = packet;
    const { handshakes } = this.#options;
    const known = cmd === 'pubrel' ? handshakes.isOpen(id, messageId) : handshakes.isReceived(id, messageId);
    if (!known) throw new Error('no such packet');
    return packet;
  }

  /**
   * aedes sends PUBCOMP also when this rejects, and the client then takes the packet id for its next message. With the
   * key still on disk, that would be taken for a repetition after a restart: so the connection ends first.
   */
  async incomingDelPacket(client: ConnectedClient, { messageId }: { readonly messageId: number }): Promise<void> {
    const released = this.#options.onRelease(client);
    try {
      await this.#options.handshakes.release(client.id, messageId);
    } catch (error) {
      client.conn.destroy();
      throw error;
    } finally {
      released();
    }
  }

  /** Also called when a connection ends that was refused; then there is no id, so that nobody else's session suffers. */
  async cleanIncoming({ id }: { readonly id: string | null }): Promise<void> {
    if (id !== null) await this.#options.handshakes.releaseAll(id);
  }

  async putWill(client: ConnectedClient, will: Will): Promise<void> {
    this.#options.onWill(client, will);
  }

  /** aedes names the client only, which may be back with another will: who the connection was is known elsewhere. */
  async delWill(): Promise<void> {}

  /** None that aedes would have to publish. */
  streamWill(): Readable {
    return Readable.from([]);
  }

  /** aedes would let a client in that left meanwhile, and its client id would be taken for ever. */
  async #whileThere<T>(clientId: string, work: (connection: Admitted) => Promise<T>): Promise<T> {
    const connection = this.#options.admitted(clientId);
    if (connection === undefined) throw new Error('the client left before its session was looked for');
    const result = await work(connection);
    if (this.#options.admitted(clientId) !== connection)
      throw new Error('the client left while its session was stored');
    return result;
  }
}
