/** aedes 1.2 behind one door: its options, its events, and the places where it must be held back. */

import './lean-mqtt-packet.ts';
import type { Duplex } from 'node:stream';
import {
  Aedes,
  type AedesOptions,
  type Client,
  type ConnectPacket,
  type PublishPacket,
  type Subscription,
} from 'aedes';
import { grantedQos, type Subscriptions } from './granted-qos.ts';
import type { Hub } from './hub.ts';
import { LIMITS } from './options.ts';
import type { Persistence } from './persistence.ts';

export type { ConnectPacket, PublishPacket, Subscription };

export interface BrokerClient extends Client {
  readonly conn: Duplex;
  readonly will: PublishPacket | null;
  readonly subscriptions: Subscriptions;
  readonly _parser: { parse: (bytes: Buffer) => number };
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
  unsubscribed(client: BrokerClient, filters: readonly string[]): void;
  mayDeliver(client: BrokerClient): boolean;
  /** `client` is null for aedes' own messages. */
  route(packet: PublishPacket, client: BrokerClient | null): void;
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
interface Internals extends Omit<Aedes, 'publish'> {
  readonly clients: Readonly<Record<string, BrokerClient | undefined>>;
  publish: Publish;
}

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
    aedes.on('client', (client) => hooks.registered(client as BrokerClient));
    aedes.on('clientDisconnect', (client) => hooks.gone(client as BrokerClient));
    aedes.on('unsubscribe', (filters, client) => hooks.unsubscribed(client as BrokerClient, filters));
    aedes.on('clientError', (client, error) => hooks.broken(client as BrokerClient, error));
    aedes.on('connectionError', (client, error) => hooks.broken(client as BrokerClient, error));
    aedes.on('connackSent', ({ returnCode }, client) => {
      if (returnCode === 0) hooks.accepted(client as BrokerClient);
    });
    Reflect.apply(aedes.on, aedes, ['error', (error: unknown) => hooks.failed(error)]);
    await aedes.listen();
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
    authorizeForward: (client, packet) => {
      if (!hooks.mayDeliver(client as BrokerClient)) return null;
      packet.qos = grantedQos((client as BrokerClient).subscriptions, packet);
      return packet;
    },
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

/** In the place of aedes' own routing: see Router. */
function publishThrough(hooks: BrokerHooks): Publish {
  return (packet, client, done) => {
    const callback = typeof client === 'function' ? client : done;
    hooks.route(packet, typeof client === 'function' ? null : client);
    callback?.();
  };
}
