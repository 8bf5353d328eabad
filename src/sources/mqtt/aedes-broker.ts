/** aedes 1.2 behind one door: its options, its events, and the places where it must be held back. */

import type { Duplex } from 'node:stream';
import type { Aedes as AedesInstance, AedesOptions, Client, ConnectPacket, PublishPacket, Subscription } from 'aedes';
import { grantedQos, type Subscriptions } from './granted-qos.ts';
import type { Hub } from './hub.ts';
import { Aedes, type Packet, writePacket } from './lean-mqtt-packet.ts';
import { LIMITS } from './options.ts';
import type { Persistence } from './persistence.ts';

export type { ConnectPacket, PublishPacket, Subscription };

export interface BrokerClient extends Client {
  readonly conn: Duplex;
  readonly will: PublishPacket | null;
  readonly connackSent: boolean;
  readonly subscriptions: Subscriptions;
  readonly _parser: { parse: (bytes: Buffer) => number };
  _nextId: number;
}

export type Callback = (error?: Error | null) => void;

export interface BrokerHooks {
  /** Whether to go on with the CONNECT; if not, the client was answered. */
  connecting(client: BrokerClient, packet: ConnectPacket): Promise<boolean>;
  /** CONNACK with code 0 is written. */
  accepted(client: BrokerClient): void;
  registered(client: BrokerClient): void;
  /** Once for every client that was registered. */
  gone(client: BrokerClient): void;
  /** The acknowledgement is written when `done` is called, routing comes after that. */
  publishing(client: BrokerClient, packet: PublishPacket, done: Callback): void;
  will(client: BrokerClient, packet: PublishPacket, done: Callback): void;
  subscribing(client: BrokerClient, subscription: Subscription): Subscription | null;
  /** SUBACK is written. Filters that were denied are among them. */
  subscribed(client: BrokerClient, filters: readonly string[]): void;
  unsubscribed(client: BrokerClient, filters: readonly string[]): void;
  /** Whether the hub hands a message out to a client. */
  mayDeliver(client: BrokerClient): boolean;
  /** For a message of QoS 1 or 2 that a session gets past its queue; undefined when it may not. */
  packetId(client: BrokerClient, packet: PublishPacket): number | undefined;
  /** What aedes itself has to say. */
  route(packet: PublishPacket): void;
  broken(client: BrokerClient, error: Error): void;
  failed(error: unknown): void;
}

export interface BrokerOptions {
  readonly id: string;
  readonly hub: Hub;
  readonly persistence: Persistence;
  readonly connectTimeoutMs: number;
  readonly drainTimeoutMs: number;
}

type Publish = (packet: PublishPacket, client: BrokerClient | null | Callback, done?: Callback) => void;

/** What aedes has and its types leave out. */
interface Internals extends Omit<AedesInstance, 'publish'> {
  readonly clients: Readonly<Record<string, BrokerClient | undefined>>;
  publish: Publish;
  /** Its client id is free, and `clientDisconnect` is emitted. */
  unregisterClient(client: BrokerClient): void;
}

const MAX_PACKET_ID = 65_535;

export class AedesBroker {
  readonly #aedes: Internals;
  readonly #hooks: BrokerHooks;

  constructor(hooks: BrokerHooks, options: BrokerOptions) {
    this.#hooks = hooks;
    this.#aedes = new Aedes(aedesOptions(hooks, options)) as unknown as Internals;
  }

  async start(): Promise<void> {
    const aedes = this.#aedes;
    const hooks = this.#hooks;
    aedes.publish = publishThrough(hooks);
    aedes.on('client', (client) => {
      hooks.registered(client as BrokerClient);
      if (client.closed) this.#letGo(client as BrokerClient);
    });
    aedes.on('clientDisconnect', (client) => hooks.gone(client as BrokerClient));
    aedes.on('subscribe', (subscriptions, client) =>
      hooks.subscribed(
        client as BrokerClient,
        subscriptions.map(({ topic }) => topic),
      ),
    );
    aedes.on('unsubscribe', (filters, client) => hooks.unsubscribed(client as BrokerClient, filters));
    aedes.on('clientError', (client, error) => hooks.broken(client as BrokerClient, error));
    aedes.on('connectionError', (client, error) => hooks.broken(client as BrokerClient, error));
    aedes.on('connackSent', ({ returnCode }, client) => {
      if (returnCode === 0) hooks.accepted(client as BrokerClient);
    });
    Reflect.apply(aedes.on, aedes, ['error', (error: unknown) => hooks.failed(error)]);
    await aedes.listen();
  }

  /**
   * Its connection broke while its session was looked for, and aedes let it in all the same: nobody else would ever take
   * its client id from it. When its socket is closed, aedes is done with it.
   */
  #letGo(client: BrokerClient): void {
    const unregister = () => {
      if (this.clientOf(client.id) === client) this.#aedes.unregisterClient(client);
    };
    if (client.conn.closed) setImmediate(unregister);
    else client.conn.once('close', unregister);
  }

  /** Past aedes: for what its session has queued for a client. */
  write(client: BrokerClient, packet: Packet): void {
    writePacket(packet, client.conn);
  }

  /** For a client whose session is not kept: as aedes takes its own, so that each is taken once. */
  nextPacketId(client: BrokerClient): number {
    const packetId = client._nextId;
    client._nextId = packetId >= MAX_PACKET_ID ? 1 : packetId + 1;
    return packetId;
  }

  /** The client that has this client id now. */
  clientOf(clientId: string): BrokerClient | undefined {
    return this.#aedes.clients[clientId];
  }

  handle(socket: Duplex): void {
    const client = this.#aedes.handle(socket) as BrokerClient;
    const parse = client._parser.parse.bind(client._parser);
    // Packets are handled while the parser runs, and nobody catches what is thrown on the way: it would end the process.
    client._parser.parse = (bytes) => {
      try {
        parse(bytes);
      } catch (error) {
        this.#hooks.failed(error);
        socket.destroy();
      }
      return 0;
    };
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
  }
}

function aedesOptions(hooks: BrokerHooks, options: BrokerOptions): AedesOptions {
  return {
    id: options.id,
    mq: options.hub,
    persistence: options.persistence,
    connectTimeout: options.connectTimeoutMs,
    drainTimeout: options.drainTimeoutMs,
    maxInflightInbound: LIMITS.openHandshakesPerClient,
    maxClientsIdLength: LIMITS.clientIdLengthMqtt31,
    preConnect: (client, packet, callback) => {
      hooks.connecting(client as BrokerClient, packet).then(
        (proceed) => {
          if (proceed) callback(null, true);
        },
        (error: Error) => callback(error, false),
      );
    },
    authorizePublish: (client, packet, done) => authorizePublish(hooks, client as BrokerClient | null, packet, done),
    authorizeSubscribe: (client, subscription, callback) =>
      callback(null, hooks.subscribing(client as BrokerClient, subscription)),
    authorizeForward: (client, packet) => (mayForward(hooks, client as BrokerClient, packet) ? packet : null),
  };
}

function authorizePublish(
  hooks: BrokerHooks,
  client: BrokerClient | null,
  packet: PublishPacket,
  done: Callback,
): void {
  // Without a client only in a cluster, for wills that another broker left behind.
  if (client === null) done(new Error('no client'));
  else if (packet === client.will) hooks.will(client, packet, done);
  else hooks.publishing(client, packet, done);
}

/** With the QoS it may have, and for a session with a packet id: aedes would not look which ones are taken. */
function mayForward(hooks: BrokerHooks, client: BrokerClient, packet: PublishPacket): boolean {
  if (!hooks.mayDeliver(client)) return false;
  packet.qos = grantedQos(client.subscriptions, packet);
  if (client.clean || packet.qos === 0) return true;
  const messageId = hooks.packetId(client, packet);
  if (messageId !== undefined) Object.assign(packet, { messageId });
  return messageId !== undefined;
}

/** In the place of aedes' own routing: what clients publish went to the Router when it was stored. */
function publishThrough(hooks: BrokerHooks): Publish {
  return (packet, client, done) => {
    if (typeof client === 'function') hooks.route(packet);
    (typeof client === 'function' ? client : done)?.();
  };
}
