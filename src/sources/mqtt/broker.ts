import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import type { Intake } from '../../core/ports.ts';
import type { Place } from '../../core/session.ts';
import type { Speakers } from '../../core/views.ts';
import type { Admission } from './admission.ts';
import {
  AedesBroker,
  type BrokerClient,
  type BrokerHooks,
  type Callback,
  type ConnectPacket,
  type PublishPacket,
  type Subscription,
} from './aedes-broker.ts';
import { createBrokerParts, type LocalBrokerOptions } from './broker-parts.ts';
import type { MqttCommandSink } from './command-sink.ts';
import { Connection } from './connection.ts';
import { Connections } from './connections.ts';
import type { Handshakes } from './handshakes.ts';
import type { Packet } from './lean-mqtt-packet.ts';
import type { Link } from './link.ts';
import { LIMITS, type MqttOptions } from './options.ts';
import type { PresenceTracker } from './presence-tracker.ts';
import type { Problems } from './problems.ts';
import type { PublishHook } from './publish-hook.ts';
import type { PublishedCommands } from './published-commands.ts';
import type { Router } from './router.ts';
import type { SubscribeHook } from './subscribe-hook.ts';

const BROKER_ID = 'sluice';
/** How long messages in flight may take to be stored when the gateway stops, and acknowledgements to leave. */
const SETTLE_MS = 2_000;
const FLUSH_MS = 500;

/** The local broker: what becomes of connections and their packets. */
export class LocalBroker {
  readonly problems: Problems;
  readonly publishes: PublishHook;
  readonly commands: MqttCommandSink<BrokerClient>;
  readonly publishedCommands: PublishedCommands;
  readonly #options: MqttOptions;
  readonly #intake: Intake;
  readonly #router: Router;
  readonly #handshakes: Handshakes;
  /** Not removed any more when the gateway was killed. */
  readonly #publishedWills: ReadonlySet<Place>;
  readonly #tracker: PresenceTracker;
  readonly #subscribes: SubscribeHook;
  readonly #admission: Admission;
  readonly #aedes: AedesBroker;
  readonly #connections: Connections;
  #stopping = false;
  clientCount = 0;

  constructor(local: LocalBrokerOptions) {
    const connections = new Connections();
    const parts = createBrokerParts(local, { id: BROKER_ID, connections, aedes: () => this.#aedes });
    this.problems = parts.problems;
    this.publishes = parts.publishes;
    this.commands = parts.commands;
    this.publishedCommands = parts.publishedCommands;
    this.#options = local.options;
    this.#intake = local.intake;
    this.#connections = connections;
    this.#router = parts.router;
    this.#handshakes = parts.handshakes;
    this.#publishedWills = parts.publishedWills;
    this.#tracker = parts.tracker;
    this.#subscribes = parts.subscribes;
    this.#admission = parts.admission;
    this.#aedes = new AedesBroker(this.#hooks(), {
      id: BROKER_ID,
      hub: parts.router.hub,
      persistence: parts.persistence,
      connectTimeoutMs: local.options.connectTimeout,
      drainTimeoutMs: local.options.drainTimeout,
    });
  }

  async start(): Promise<void> {
    await this.#router.start();
    const { sessions } = this.#router;
    // It can only fail when the store is gone, and the process with it.
    this.#handshakes.keepOnly((clientId) => sessions.messages.queueOf(clientId) !== undefined).catch(() => undefined);
    this.publishes.publishLeftWills(this.#publishedWills);
    await this.#aedes.start();
    this.#tracker.start();
  }

  get speakers(): Speakers {
    return this.#tracker;
  }

  /** Serves a new connection. */
  handle(link: Link): void {
    const { socket } = link;
    const connection: Connection = new Connection({
      link,
      maxPacketBytes: this.#options.maxPacketSize,
      maxConnectBytes: this.#options.maxPacketSizeBeforeConnect,
      maxPublishRatePerS: this.#options.maxPublishRate,
      drainTimeoutMs: this.#options.drainTimeout,
      onFault: (fault) => this.problems.fault(connection, fault),
    });
    this.#connections.add(connection);
    socket.once('close', () => {
      this.#connections.remove(connection);
      connection.hurry();
      this.publishes.gone(connection);
      this.#subscribes.gone(connection);
      this.#connections.expel(connection);
    });
    connection.attach();
    this.#aedes.handle(socket);
  }

  /** Closes what speaks for a device. Resolves when nothing of its sessions and wills is left on disk either. */
  async forget(device: string): Promise<void> {
    const { sessions, wills } = this.#router;
    const connections = this.#connections.ofDevice(device);
    for (const connection of connections) {
      this.#connections.forget(connection);
      // What it sent comes before the removal, not after it.
      connection.hurry();
      connection.end();
      this.#connections.expel(connection);
    }
    const withdrawn = connections.map((connection) => wills.withdraw(connection));
    const clientIds = await sessions.endAllOf(device);
    await Promise.all([...withdrawn, ...clientIds.map((clientId) => this.#handshakes.releaseAll(clientId))]);
  }

  /** Acknowledges what is in flight, then closes all connections. Takes three seconds at most. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const connection of this.#connections) {
      connection.ignore();
      connection.hurry();
    }
    this.publishes.stop();
    await within(SETTLE_MS, this.#intake.settled());
    for (const connection of this.#connections) connection.hurry();
    // PUBREC is written a few turns after PUBACK.
    await delay(1);
    const closed = [...this.#connections].map(({ socket }) => once(socket, 'close'));
    for (const connection of this.#connections) connection.end();
    await within(FLUSH_MS, Promise.all(closed));
    await within(FLUSH_MS, this.#aedes.stop());
    for (const { socket } of this.#connections) socket.destroy();
    this.#router.wills.stop();
    await within(FLUSH_MS, this.#router.stop());
    this.problems.stop();
  }

  #hooks(): BrokerHooks {
    const connectionOf = ({ conn }: BrokerClient): Connection => this.#connections.of(conn);
    return {
      connecting: (client, packet) => this.#admit(client, connectionOf(client), packet),
      accepted: (client) => this.#accepted(client, connectionOf(client)),
      registered: (client) => this.#registered(client, connectionOf(client)),
      gone: (client) => this.#gone(client, connectionOf(client)),
      publishing: (client, packet, done) => this.publishes.publish(connectionOf(client), packet, done),
      will: (client, packet, done) => this.#publishWill(connectionOf(client), packet, done),
      subscribing: (client, subscription) => this.#judge(client, connectionOf(client), subscription),
      subscribed: (client, filters) => {
        if (!client.closed)
          this.commands.subscribed(
            client,
            filters.filter((filter) => filter in client.subscriptions),
          );
      },
      unsubscribed: (client, filters) => {
        this.commands.unsubscribed(client, filters);
        // Of a session that is kept, the persistence was told before: now it may have subscribed anew.
        if (client.clean) this.#subscribes.unsubscribed(connectionOf(client), filters);
      },
      mayDeliver: (client) => !this.#router.isQueuedFor(client.id) && this.#mayDeliver(connectionOf(client)),
      packetId: (client, { retain }) => this.#router.sessions.messages.packetIdPastQueue(client.id, retain),
      route: (packet) => this.#router.publish(packet),
      broken: (client, error) => this.problems.broken(connectionOf(client).clientId, error),
      failed: (error) => this.problems.internal(error),
    };
  }

  async #admit(client: BrokerClient, connection: Connection, packet: ConnectPacket): Promise<boolean> {
    connection.keepAliveS = packet.keepalive ?? 0;
    const mayEnter = await this.#admission.admit(client, connection, packet);
    if (!mayEnter || this.#connections.isForgotten(connection)) return false;
    this.#connections.admit(connection);
    return true;
  }

  #publishWill(connection: Connection, will: PublishPacket, done: Callback): void {
    if (this.#connections.isForgotten(connection)) done(new Error('the device was removed'));
    else this.publishes.will(connection, will, done);
  }

  #accepted(client: BrokerClient, connection: Connection): void {
    connection.serve();
    if (client.closed) return;
    connection.socket.on('drain', () => this.commands.drained(client));
    this.commands.subscribed(client, Object.keys(client.subscriptions));
    if (client.clean) return;
    const { sessions } = this.#router;
    const send = (packet: Packet) => this.#aedes.write(client, packet);
    connection.socket.on('drain', () => sessions.wake(client.id));
    sessions.attach(client.id, { hasRoom: () => connection.hasRoom(), send });
  }

  #registered(client: BrokerClient, connection: Connection): void {
    this.clientCount += 1;
    this.#admission.registered(client);
    if (connection.identity !== null) this.#tracker.speaks(connection, connection.identity);
  }

  #gone(client: BrokerClient, connection: Connection): void {
    this.clientCount -= 1;
    this.#admission.gone(client);
    this.commands.gone(client);
    this.#router.sessions.detach(client.id);
    this.#router.wills.gone(connection);
    if (!this.#stopping) this.#tracker.gone(connection);
  }

  #judge(client: BrokerClient, connection: Connection, subscription: Subscription): Subscription | null {
    // What comes before CONNACK is what the session has already: stored again, it could undo an UNSUBSCRIBE.
    const isFresh = !client.clean && client.connackSent;
    if (isFresh && !this.#router.sessions.hasRoomFor(client.id, subscription.topic)) {
      this.problems.subscriptionsFull(connection);
      return null;
    }
    return this.#subscribes.judge(connection, subscription, isFresh);
  }

  #mayDeliver({ socket, clientId }: Connection): boolean {
    if (socket.writableLength <= LIMITS.unreadBytes) return true;
    this.problems.slowSubscriber(clientId);
    return false;
  }
}

/** Waits, but not for ever, and not for success. */
async function within(ms: number, work: Promise<unknown>): Promise<void> {
  const timer = new AbortController();
  await Promise.race([work, delay(ms, undefined, { signal: timer.signal })]).catch(() => undefined);
  timer.abort();
}
