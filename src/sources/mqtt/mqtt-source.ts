import type { CommandSink } from '../../core/command.ts';
import type { Stage } from '../../core/ports.ts';
import type { Speakers } from '../../core/views.ts';
import type { Logger } from '../../platform/logger.ts';
import { RushMemory } from '../../platform/rush-memory.ts';
import { LocalBroker } from './broker.ts';
import type { LocalBrokerOptions } from './broker-parts.ts';
import { Doorway } from './doorway.ts';
import { Entrance } from './entrance.ts';
import type { Link } from './link.ts';
import { type BoundAddress, Listener } from './listener.ts';

export interface MqttSourceOptions extends LocalBrokerOptions {
  /** Called when a crowd of clients has gone: what they left is garbage. */
  readonly giveBackMemory: () => void;
}

/** The MQTT source: listeners and the local broker behind them. */
export class MqttSource implements Stage {
  readonly #logger: Logger;
  readonly #broker: LocalBroker;
  readonly #doorway: Doorway;
  readonly #entrance: Entrance;
  readonly #rush: RushMemory;
  readonly #listeners: readonly Listener[];
  #addresses: readonly BoundAddress[] = [];

  constructor(options: MqttSourceOptions) {
    const { logger, giveBackMemory } = options;
    const { maxClients, maxConnectRate, connectTimeout, maxPacketSize, listeners } = options.options;
    this.#logger = logger;
    this.#broker = new LocalBroker(options);
    const { problems } = this.#broker;
    const onFull = (address: string) => problems.tooManyClients(address, maxClients);
    const onLeft = () => this.#rush.closed();
    this.#doorway = new Doorway({ maxClients, timeoutMs: connectTimeout, onFull, onLeft });
    this.#rush = new RushMemory({ openCount: () => this.#doorway.openCount, giveBack: giveBackMemory });
    const onSlowed = (address: string) => problems.connectsTooFast(address, maxConnectRate);
    this.#entrance = new Entrance({ ratePerS: maxConnectRate, onSlowed });
    const onLink = (link: Link) => this.#broker.handle(link);
    const ways = { doorway: this.#doorway, entrance: this.#entrance };
    const context = { ...ways, maxPacketBytes: maxPacketSize, logger, problems, onLink };
    this.#listeners = listeners.map((listener, index) => new Listener(listener, index, context));
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
      this.#rush.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
    for (const address of this.#addresses) this.#logger.info(address, 'MQTT listening');
  }

  async stop(): Promise<void> {
    for (const listener of this.#listeners) listener.close();
    this.#entrance.stop();
    this.#doorway.stop();
    await this.#broker.stop();
    this.#rush.stop();
  }

  /** Where it listens, in the order of the configuration; with the real port where 0 was asked for. */
  addresses(): readonly BoundAddress[] {
    return this.#addresses;
  }

  /** Whom sessions of other sources speak for is announced as for its own. */
  get speakers(): Speakers {
    return this.#broker.speakers;
  }

  /** The way of commands to devices that subscribed to them. */
  get commands(): CommandSink {
    return this.#broker.commands;
  }

  /** Responses that answer no command, by the reason why, since the start. */
  ignoredResponses(): Readonly<Record<string, number>> {
    return this.#broker.commands.ignoredCounts;
  }

  /** Published and not given, by the reason why, since the start. */
  refusedCommands(): Readonly<Record<string, number>> {
    return this.#broker.publishedCommands.refusedCounts;
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

  /** Ends the connections and the sessions of a device that was removed. Resolves when they cannot come back. */
  forget(device: string): Promise<void> {
    return this.#broker.forget(device);
  }
}
