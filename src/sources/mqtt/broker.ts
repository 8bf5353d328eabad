import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Intake, SessionStore } from '../../core/ports.ts';
import type { Handshake, TimeQuality } from '../../core/record.ts';
import type { Place } from '../../core/session.ts';
import type { AccessControl, Presence } from '../../core/views.ts';
import type { Logger } from '../../platform/logger.ts';
import { Access } from './access.ts';
import { Admission } from './admission.ts';
import {
  AedesBroker,
  type BrokerClient,
  type BrokerHooks,
  type Callback,
  type ConnectPacket,
  type PublishPacket,
  type Subscription,
} from './aedes-broker.ts';
import { Connection } from './connection.ts';
import { DenialLog } from './denial-log.ts';
import { Handshakes } from './handshakes.ts';
import type { Packet } from './lean-mqtt-packet.ts';
import type { Link } from './link.ts';
import { Login } from './login.ts';
import { LIMITS, type MqttOptions } from './options.ts';
import { Persistence } from './persistence.ts';
import { PresenceTracker } from './presence-tracker.ts';
import { Problems } from './problems.ts';
import { PublishHook } from './publish-hook.ts';
import { Router } from './router.ts';
import { SubscribeHook } from './subscribe-hook.ts';
import { withoutWillKeys } from './wills.ts';

export interface LocalBrokerOptions {
  readonly options: MqttOptions;
  readonly intake: Intake;
  readonly access: AccessControl;
  readonly presence: Presence;
  readonly logger: Logger;
  /** Inbound QoS 2 exchanges that were open when the gateway stopped. */
  readonly openHandshakes: readonly Handshake[];
  readonly sessions: SessionStore;
  /** What the queues of all sessions may hold together. */
  readonly queueBudgetBytes: number;
  readonly clock: { now(): number; quality(): TimeQuality };
}

const BROKER_ID = 'sluice';
/** How long messages in flight may take to be stored when the gateway stops, and acknowledgements to leave. */
const SETTLE_MS = 2_000;
const FLUSH_MS = 500;

/** The local broker: what becomes of connections and their packets. */
export class LocalBroker {
  readonly problems: Problems;
  readonly publishes: PublishHook;
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
  readonly #connections = new Set<Connection>();
  readonly #bySocket = new WeakMap<Duplex, Connection>();
  /** The one that was let in last under each client id. */
  readonly #admitted = new Map<string, Connection>();
  /** Their devices were removed: they are on their way out, and their wills are not published. */
  readonly #forgotten = new WeakSet<Connection>();
  #stopping = false;
  clientCount = 0;

  constructor(local: LocalBrokerOptions) {
    const { options, intake, access, presence, logger, clock } = local;
    const { maxTopicLevels } = options;
    const problems = new Problems(logger);
    const denials = new DenialLog(logger);
    const allowed = new Access(options.grants);
    const open = withoutWillKeys(local.openHandshakes);
    const handshakes = new Handshakes(intake, open.handshakes);
    const clientOf = (clientId: string): BrokerClient | undefined => this.#aedes.clientOf(clientId);
    // Also one that is on its way in: its session must not go.
    const isConnected = (clientId: string): boolean => this.#admitted.has(clientId);
    // It can only fail when the store is gone, and the process with it.
    const onSessionEnded = (clientId: string) => void handshakes.releaseAll(clientId).catch(() => undefined);
    const router = new Router({
      options,
      queueBudgetBytes: local.queueBudgetBytes,
      store: local.sessions,
      now: () => (clock.quality() === 'synced' ? clock.now() : null),
      brokerId: BROKER_ID,
      lastWill: Math.max(0, ...open.publishedWills),
      problems,
      maySubscribe: (owner, topic) => allowed.maySubscribe(owner === '' ? null : owner, topic),
      isConnected,
      onSessionEnded,
    });
    const tracker = new PresenceTracker({
      presence,
      announce: (device, status) => router.announce(device, status),
      maxDevicesPerSession: LIMITS.devicesPerConnection,
    });
    this.#options = options;
    this.#intake = intake;
    this.problems = problems;
    this.#router = router;
    this.#handshakes = handshakes;
    this.#publishedWills = open.publishedWills;
    this.#tracker = tracker;
    this.publishes = new PublishHook({
      intake,
      access: allowed,
      router,
      handshakes,
      tracker,
      denials,
      problems,
      maxTopicLevels,
    });
    this.#subscribes = new SubscribeHook(allowed, denials, maxTopicLevels);
    this.#admission = new Admission({
      login: new Login(access, options.connectTimeout),
      problems,
      clientOf,
      isOverloaded: () => this.publishes.isOverloaded,
    });
    this.#aedes = new AedesBroker(this.#hooks(), {
      id: BROKER_ID,
      hub: router.hub,
      persistence: new Persistence({
        sessions: router.sessions,
        retained: router.retained,
        handshakes,
        admitted: (clientId) => this.#admitted.get(clientId),
        takeGranted: ({ conn }) => this.#subscribes.takeFresh(this.#of(conn)),
        onRelease: ({ conn }) => this.#of(conn).acks.watch(() => undefined),
        onWill: ({ conn }, will) => router.wills.put(this.#of(conn), will),
        onUnsubscribe: ({ conn }, filters) => this.#subscribes.unsubscribed(this.#of(conn), filters),
      }),
      connectTimeoutMs: options.connectTimeout,
      drainTimeoutMs: options.drainTimeout,
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
    this.#bySocket.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(connection);
      connection.hurry();
      this.publishes.gone(connection);
      this.#subscribes.gone(connection);
      this.#expel(connection);
    });
    connection.attach();
    this.#aedes.handle(socket);
  }

  /** Closes what speaks for a device. Resolves when nothing of its sessions and wills is left on disk either. */
  async forget(device: string): Promise<void> {
    const { sessions, wills } = this.#router;
    const connections = [...this.#connections].filter(({ identity }) => identity === device);
    for (const connection of connections) {
      this.#forgotten.add(connection);
      // What it sent comes before the removal, not after it.
      connection.hurry();
      connection.end();
      this.#expel(connection);
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

  #of(socket: Duplex): Connection {
    const connection = this.#bySocket.get(socket);
    if (connection === undefined) throw new Error('aedes asks about a socket that it was never given');
    return connection;
  }

  #hooks(): BrokerHooks {
    const connectionOf = ({ conn }: BrokerClient): Connection => this.#of(conn);
    return {
      connecting: (client, packet) => this.#admit(client, connectionOf(client), packet),
      accepted: (client) => this.#accepted(client, connectionOf(client)),
      registered: (client) => this.#registered(client, connectionOf(client)),
      gone: (client) => this.#gone(client, connectionOf(client)),
      publishing: (client, packet, done) => this.publishes.publish(connectionOf(client), packet, done),
      will: (client, packet, done) => this.#publishWill(connectionOf(client), packet, done),
      subscribing: (client, subscription) => this.#judge(client, connectionOf(client), subscription),
      unsubscribed: (client, filters) => {
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
    const isAdmitted = (await this.#admission.admit(client, connection, packet)) && !this.#forgotten.has(connection);
    if (isAdmitted) this.#admitted.set(connection.clientId, connection);
    return isAdmitted;
  }

  #expel(connection: Connection): void {
    if (this.#admitted.get(connection.clientId) === connection) this.#admitted.delete(connection.clientId);
  }

  #publishWill(connection: Connection, will: PublishPacket, done: Callback): void {
    if (this.#forgotten.has(connection)) done(new Error('the device was removed'));
    else this.publishes.will(connection, will, done);
  }

  #accepted(client: BrokerClient, connection: Connection): void {
    connection.serve();
    if (client.clean || client.closed) return;
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
