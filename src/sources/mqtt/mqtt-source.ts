import type { Socket } from 'node:net';
import type { Stage } from '../../core/ports.ts';
import type { Logger } from '../../platform/logger.ts';
import { LocalBroker, type LocalBrokerOptions } from './broker.ts';
import { connackPacket, REFUSED } from './connect-packet.ts';
import { type BoundAddress, Listener } from './listener.ts';

export type MqttSourceOptions = LocalBrokerOptions;

/** Connections that wait for their refusal; what comes on top is closed at once. */
const MAX_REFUSALS = 64;
const REFUSAL_MS = 1_000;

/** The MQTT source: listeners and the local broker behind them. */
export class MqttSource implements Stage {
  readonly #options: MqttSourceOptions;
  readonly #logger: Logger;
  readonly #broker: LocalBroker;
  readonly #listeners: readonly Listener[];
  #addresses: readonly BoundAddress[] = [];
  #refusalCount = 0;

  constructor(options: MqttSourceOptions) {
    this.#options = options;
    this.#logger = options.logger;
    this.#broker = new LocalBroker(options);
    this.#listeners = options.options.listeners.map(
      (listener, index) => new Listener(listener, index, (socket) => this.#connected(socket, listener.anonymous)),
    );
  }

  /** @throws SluiceError when an address cannot be listened on; then none is. */
  async start(): Promise<void> {
    await this.#broker.start();
    try {
      const addresses: BoundAddress[] = [];
      for (const listener of this.#listeners) {
        addresses.push(await listener.open());
      }
      this.#addresses = addresses;
    } catch (error) {
      await this.stop();
      throw error;
    }
    for (const { host, port } of this.#addresses) this.#logger.info({ host, port }, 'MQTT listening');
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    await this.#broker.stop();
  }

  /** Where it listens, in the order of the configuration; with the real port where 0 was asked for. */
  addresses(): readonly BoundAddress[] {
    return this.#addresses;
  }

  /** Clients connected now. */
  clientCount(): number {
    return this.#broker.clientCount;
  }

  /** Publishes that were not allowed, since the start. */
  deniedCount(): number {
    return this.#broker.publishes.deniedCount;
  }

  /** Messages that no route knew, since the start. */
  localCount(): number {
    return this.#broker.publishes.localCount;
  }

  /** Ends the sessions that are logged in as a device, as when it was removed. */
  disconnect(device: string): void {
    this.#broker.disconnect(device);
  }

  #connected(socket: Socket, anonymous: boolean): void {
    const { maxClients } = this.#options.options;
    if (this.#broker.connectionCount < maxClients) {
      this.#broker.handle(socket, anonymous);
      return;
    }
    this.#broker.problems.tooManyClients(socket.remoteAddress ?? 'unknown', maxClients);
    this.#refuse(socket);
  }

  /** A client that sends something is told; whatever it sent, it gets the answer to a CONNECT. */
  #refuse(socket: Socket): void {
    if (this.#refusalCount >= MAX_REFUSALS) {
      socket.destroy();
      return;
    }
    this.#refusalCount += 1;
    const timer = setTimeout(() => socket.destroy(), REFUSAL_MS);
    socket.once('data', () => socket.end(connackPacket(REFUSED.unavailable)));
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      clearTimeout(timer);
      this.#refusalCount -= 1;
    });
  }
}
