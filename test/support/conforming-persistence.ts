import { type Duplex, Readable } from 'node:stream';
import { FilterTree } from '../../src/core/filter-tree.ts';
import type { Place, Qos, StoredSubscription, StoredWill } from '../../src/core/session.ts';
import { Handshakes } from '../../src/sources/mqtt/handshakes.ts';
import { Persistence } from '../../src/sources/mqtt/persistence.ts';
import { Problems } from '../../src/sources/mqtt/problems.ts';
import { Router } from '../../src/sources/mqtt/router.ts';
import { FakeIntake } from './fake-intake.ts';
import { MemoryLogger } from './memory-logger.ts';
import { type OpenStore, openStore, storeDirectory } from './open-store.ts';

const ANYBODY = { identity: null };

interface Client {
  readonly id: string;
}

interface Packet {
  readonly cmd: string;
  readonly topic: string;
  readonly payload: string | Buffer;
  readonly qos: Qos;
  readonly messageId: number;
  readonly brokerId: string;
  readonly brokerCounter: number;
}

interface Broker {
  readonly id: string;
}

interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
}

/** What the suite says of a queued message and nothing of ours needs: packet ids are given when it is queued. */
interface Alias {
  readonly brokerId: string;
  readonly brokerCounter: number;
  readonly isText: boolean;
  messageId: number | undefined;
}

/** MQTT 5's options of a subscription, which 3.1.1 has not; the suite always says the same. */
const OPTIONS = { rh: 0, rap: true, nl: false };

/**
 * Our parts behind the whole interface of aedes-persistence, as its suite asks for it: also what aedes itself would
 * need for its routing, which is the Router's here. Before everything that is read, the store is closed and opened
 * again, and a new broker begins with what is on disk.
 */
class ConformingPersistence {
  broker: Broker = { id: '' };
  readonly #directory = storeDirectory();
  readonly #aliases = new Map<Place, Alias>();
  readonly #incoming = new Map<string, object>();
  /** Which of several brokers has a client, by its id: here it is always the one that runs. */
  readonly #brokerIds = new Map<string, string>();
  #granted: readonly StoredSubscription[] = [];
  #store!: OpenStore;
  #router!: Router;
  #inner!: Persistence;
  #handshakes!: Handshakes;

  async setup(broker: Broker): Promise<void> {
    this.broker = broker;
    await this.#start();
  }

  async destroy(): Promise<void> {
    await this.#router.stop();
    await this.#store.close();
    this.#directory.remove();
  }

  async storeRetained({ topic, payload, qos }: Packet): Promise<void> {
    await this.#publish({ topic, payload, qos, retain: true });
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter]);
  }

  createRetainedStreamCombi(filters: readonly string[]): Readable {
    return this.#stream(async () => {
      const packets = (await this.#inner.createRetainedStreamCombi(filters).toArray()) as Packet[];
      const id = this.broker.id;
      return packets.map(({ cmd, topic, payload, qos }) => ({ cmd, id, topic, payload, qos, retain: true }));
    });
  }

  async addSubscriptions(client: Client, subscriptions: readonly StoredSubscription[]): Promise<void> {
    await this.#inner.subscriptionsByClient(client);
    this.#granted = subscriptions;
    await this.#inner.addSubscriptions({ ...client, conn: {} as Duplex });
  }

  async removeSubscriptions(client: Client, filters: readonly string[]): Promise<void> {
    await this.#inner.removeSubscriptions({ ...client, conn: {} as Duplex }, filters);
  }

  async cleanSubscriptions(client: Client): Promise<void> {
    await this.#inner.cleanSubscriptions(client);
  }

  async subscriptionsByClient({ id }: Client): Promise<readonly object[]> {
    await this.#restart();
    return this.#router.sessions.subscriptions(id).map((subscription) => ({ ...subscription, ...OPTIONS }));
  }

  async subscriptionsByTopic(topic: string): Promise<readonly object[]> {
    const tree = new FilterTree<object>();
    for (const { clientId, subscriptions } of await this.#rows()) {
      for (const { topic: filter, qos } of subscriptions) {
        if (qos > 0) tree.add(filter, { clientId, topic: filter, qos, ...OPTIONS });
      }
    }
    return tree.match(topic);
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    const all = (await this.#rows()).map(({ subscriptions }) => subscriptions);
    const subsCount = all.flat().filter(({ qos }) => qos > 0).length;
    return { subsCount, clientsCount: all.filter(({ length }) => length > 0).length };
  }

  getClientList(filter: string): Readable {
    return this.#stream(async () =>
      (await this.#rows())
        .filter(({ subscriptions }) => subscriptions.some(({ topic }) => topic === filter))
        .map(({ clientId }) => clientId),
    );
  }

  async outgoingEnqueue(subscriber: { readonly clientId: string }, packet: Packet): Promise<void> {
    await this.outgoingEnqueueCombi([subscriber], packet);
  }

  async outgoingEnqueueCombi(subscribers: readonly { readonly clientId: string }[], packet: Packet): Promise<void> {
    const { topic, payload, qos, brokerId, brokerCounter } = packet;
    for (const { clientId } of subscribers) await this.addSubscriptions({ id: clientId }, [{ topic, qos: 2 }]);
    const place = await this.#publish({ topic, payload, qos, retain: false });
    const isText = typeof payload === 'string';
    this.#aliases.set(place, { brokerId, brokerCounter, isText, messageId: undefined });
  }

  outgoingStream({ id }: Client): Readable {
    return this.#stream(async () => this.#queueOf(id).map(({ packet }) => packet));
  }

  async outgoingUpdate({ id }: Client, { cmd, messageId, brokerCounter }: Packet): Promise<void> {
    const queue = this.#queueOf(id);
    const known = queue.find(({ alias }) =>
      cmd === 'pubrel' ? alias.messageId === messageId : alias.brokerCounter === brokerCounter,
    );
    if (known === undefined) return;
    known.alias.messageId = messageId;
    await this.#inner.outgoingUpdate({ id }, { cmd, messageId: known.packetId });
  }

  async outgoingClearMessageId({ id }: Client, { messageId }: Packet): Promise<object | undefined> {
    const known = this.#queueOf(id).find(({ alias }) => alias.messageId !== undefined && alias.messageId === messageId);
    if (known === undefined) return undefined;
    await this.#inner.outgoingClearMessageId({ id }, { messageId: known.packetId });
    return known.packet;
  }

  /** aedes looks only whether a packet is there; what it was, the suite wants to see. */
  async incomingStorePacket({ id }: Client, { length: _, ...packet }: Packet & { length: number }): Promise<void> {
    const handshake = { clientId: id, packetId: packet.messageId };
    await this.#store.client.append({ kind: 'records', records: [], handshake });
    this.#handshakes.open(id, packet.messageId);
    await this.#inner.incomingStorePacket({ id }, packet);
    this.#incoming.set(`${id} ${packet.messageId}`, packet);
  }

  async incomingGetPacket({ id }: Client, { messageId }: Packet): Promise<object> {
    await this.#restart();
    await this.#inner.incomingGetPacket({ id }, { cmd: 'publish', messageId });
    return { ...this.#incoming.get(`${id} ${messageId}`) };
  }

  async incomingDelPacket(client: Client, packet: Packet): Promise<void> {
    await this.#inner.incomingDelPacket({ ...client, conn: {} as Duplex }, packet);
  }

  async cleanIncoming(client: Client): Promise<void> {
    await this.#inner.cleanIncoming(client);
  }

  async putWill({ id }: Client, will: Will): Promise<void> {
    await this.#inner.putWill({ id, conn: {} as Duplex }, will);
    this.#brokerIds.set(id, this.broker.id);
  }

  async getWill({ id }: Client): Promise<Will | undefined> {
    const will = (await this.#wills()).find(({ clientId }) => clientId === id);
    return will && bequest(will);
  }

  async delWill({ id }: Client): Promise<Will | undefined> {
    const will = (await this.#wills()).find(({ clientId }) => clientId === id);
    if (will === undefined) return undefined;
    await this.#router.wills.remove(will.id);
    return bequest(will);
  }

  streamWill(brokers: Readonly<Record<string, number>> = {}): Readable {
    return this.#stream(async () =>
      (await this.#wills())
        .map((will) => ({ ...bequest(will), clientId: will.clientId, brokerId: this.#brokerIds.get(will.clientId) }))
        .filter(({ brokerId = '' }) => brokers[brokerId] === undefined),
    );
  }

  /** Those that a gateway which was killed left behind. */
  async #wills(): Promise<readonly StoredWill[]> {
    await this.#restart();
    return this.#router.wills.takeLeft();
  }

  /** Resolves with its place, once it is stored. */
  async #publish(publication: { topic: string; payload: string | Buffer; qos: Qos; retain: boolean }): Promise<Place> {
    const prepared = this.#router.prepare(publication, { clientId: 'suite', identity: null });
    const { keep, message } = prepared;
    if (keep === undefined) throw new Error('nothing is kept of it');
    await this.#store.client.keep({ ...keep, topic: message.topic, payload: message.payload });
    this.#router.deliver(prepared);
    return keep.place;
  }

  #queueOf(clientId: string) {
    return (this.#router.sessions.messages.queueOf(clientId)?.list() ?? []).map(
      ({ place, packetId, topic, payload, qos, released }) => {
        const alias = this.#aliases.get(place) as Alias;
        const { messageId, brokerId, brokerCounter, isText } = alias;
        const content = { topic, payload: isText ? payload.toString() : payload, qos, retain: false, dup: false };
        const publish = { cmd: 'publish', brokerId, brokerCounter, ...content, messageId };
        return { alias, packetId, packet: released ? { cmd: 'pubrel', messageId } : publish };
      },
    );
  }

  async #rows() {
    await this.#restart();
    return await this.#store.client.loadSessions(0, 1_000);
  }

  #stream(read: () => Promise<readonly unknown[]>): Readable {
    const restart = () => this.#restart();
    return Readable.from(
      (async function* read_(): AsyncGenerator<unknown> {
        await restart();
        yield* await read();
      })(),
    );
  }

  async #restart(): Promise<void> {
    await this.#router.wills.flush();
    await this.#router.stop();
    await this.#store.close();
    await this.#start();
  }

  async #start(): Promise<void> {
    this.#store = await openStore({ dataDir: this.#directory.dataDir });
    const { client, opened } = this.#store;
    this.#router = new Router({
      brokerId: 'sluice',
      options: { maxQueuedMessages: 1_000, maxQueuedBytes: 1e6, maxQueuedAge: 1e9, sessionExpiry: 1e9, maxClients: 1 },
      queueBudgetBytes: 1e9,
      store: client,
      now: Date.now,
      problems: new Problems(new MemoryLogger()),
      maySubscribe: () => true,
      isConnected: () => false,
      onSessionEnded: () => undefined,
    });
    const release = async (clientId: string, packetId: number | null) => {
      await client.append({ kind: 'release', clientId, packetId });
    };
    this.#handshakes = new Handshakes(Object.assign(new FakeIntake(), { release }), opened.openHandshakes);
    this.#inner = new Persistence({
      sessions: this.#router.sessions,
      retained: this.#router.retained,
      handshakes: this.#handshakes,
      admitted: () => ANYBODY,
      takeGranted: () => this.#granted,
      onRelease: () => () => undefined,
      onWill: ({ id }, will) => this.#router.wills.put({ clientId: id, identity: null }, will),
      onUnsubscribe: () => undefined,
    });
    await this.#router.start();
  }
}

function bequest({ topic, payload, qos, retain }: StoredWill): Will {
  return { topic, payload: Buffer.from(payload), qos, retain };
}

export async function conformingPersistence(): Promise<object> {
  return new ConformingPersistence();
}
