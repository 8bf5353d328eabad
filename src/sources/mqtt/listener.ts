import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { codeOf, SluiceError } from '../../core/errors.ts';
import type { MqttListenerOptions } from './options.ts';

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
}

const KEEP_ALIVE_MS = 60_000;

/** One TCP address. */
export class Listener {
  readonly #options: MqttListenerOptions;
  readonly #option: string;
  readonly #server: Server;

  /** `index`: its place in `mqtt.listeners`, for messages. */
  constructor(options: MqttListenerOptions, index: number, onSocket: (socket: Socket) => void) {
    this.#options = options;
    this.#option = `mqtt.listeners[${index}]`;
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, onSocket);
  }

  /** @throws SluiceError `port_in_use`, `port_not_permitted`, `address_not_available`, `listen_failed` */
  async open(): Promise<BoundAddress> {
    const { host, port } = this.#options;
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      throw this.#translate(error);
    }
    return { host, port: (this.#server.address() as AddressInfo).port };
  }

  /** Takes no more connections; those that are open stay. */
  close(): void {
    this.#server.close();
  }

  #translate(error: unknown): SluiceError {
    const { host, port } = this.#options;
    const [code, hint] = this.#explain(codeOf(error));
    return new SluiceError(`MQTT cannot listen on ${host}:${port}`, { code, hint, cause: error });
  }

  #explain(code: string | undefined): readonly [code: string, hint: string] {
    const { host, port } = this.#options;
    switch (code) {
      case 'EADDRINUSE':
        return ['port_in_use', `stop the program that uses port ${port}, or set ${this.#option}.port to another one`];
      case 'EACCES':
        return ['port_not_permitted', `set ${this.#option}.port to 1024 or more, or permit the gateway to use it`];
      case 'EADDRNOTAVAIL':
      case 'ENOTFOUND':
        return ['address_not_available', `set ${this.#option}.host to an address of this machine instead of ${host}`];
      default:
        return ['listen_failed', `check ${this.#option}`];
    }
  }
}
