import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { codeOf, SluiceError } from '../../core/errors.ts';
import type { Logger } from '../../platform/logger.ts';
import { addressOf, type Doorway } from './doorway.ts';
import type { Entrance } from './entrance.ts';
import type { Link } from './link.ts';
import type { MqttListenerOptions, MqttTlsOptions } from './options.ts';
import type { Problems } from './problems.ts';
import type { TlsLayer } from './tls-layer.ts';
import type { WebSocketLayer } from './websocket-layer.ts';

export interface BoundAddress {
  readonly host: string;
  readonly port: number;
  readonly transport: 'tcp' | 'tls' | 'ws' | 'wss';
}

export interface ListenerContext {
  readonly doorway: Doorway;
  readonly entrance: Entrance;
  readonly maxPacketBytes: number;
  readonly logger: Logger;
  readonly problems: Problems;
  readonly onLink: (link: Link) => void;
}

const KEEP_ALIVE_MS = 60_000;

/** One TCP address; TLS and WebSocket upon it, as it is configured. */
export class Listener {
  readonly #options: MqttListenerOptions;
  readonly #context: ListenerContext;
  readonly #option: string;
  readonly #server: Server;
  #tls: TlsLayer | undefined;
  #webSocket: WebSocketLayer | undefined;
  readonly #certified = new WeakMap<Socket, string>();

  /** `index`: its place in `mqtt.listeners`, for messages. */
  constructor(options: MqttListenerOptions, index: number, context: ListenerContext) {
    this.#options = options;
    this.#context = context;
    this.#option = `mqtt.listeners[${index}]`;
    const serving = { noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS };
    this.#server = createServer(serving, (socket) => this.#accepted(socket));
  }

  /**
   * @throws SluiceError `port_in_use`, `port_not_permitted`, `address_not_available`, `listen_failed`,
   *   `tls_files_unusable`
   */
  async open(): Promise<BoundAddress> {
    const { host, port, tls, websocket } = this.#options;
    // What a layer needs is loaded only where there is one.
    if (websocket === true) this.#webSocket = await this.#webSocketLayer();
    if (tls !== undefined) this.#tls = await this.#tlsLayer(tls);
    this.#tls?.start();
    this.#server.listen({ host, port });
    try {
      await once(this.#server, 'listening');
    } catch (error) {
      throw this.#translate(error);
    }
    return { host, port: (this.#server.address() as AddressInfo).port, transport: this.#transport() };
  }

  /** Takes no more connections; those that are open stay. */
  close(): void {
    this.#tls?.stop();
    this.#server.close();
  }

  #transport(): BoundAddress['transport'] {
    if (this.#webSocket === undefined) return this.#tls === undefined ? 'tcp' : 'tls';
    return this.#tls === undefined ? 'ws' : 'wss';
  }

  async #tlsLayer(tls: MqttTlsOptions): Promise<TlsLayer> {
    const { TlsLayer } = await import('./tls-layer.ts');
    const { logger, problems } = this.#context;
    const onSecure = (socket: Socket, certified: string | null) => {
      if (certified !== null) this.#certified.set(socket, certified);
      this.#secured(socket);
    };
    return new TlsLayer({ tls, usedBy: `${this.#option}.tls`, logger, problems, onSecure });
  }

  async #webSocketLayer(): Promise<WebSocketLayer> {
    const { WebSocketLayer } = await import('./websocket-layer.ts');
    const { tls, anonymous, allowedOrigins = [] } = this.#options;
    const { maxPacketBytes, problems } = this.#context;
    return new WebSocketLayer({
      origins: { allowedOrigins, anonymous, tls: tls !== undefined },
      usedBy: this.#option,
      maxPacketBytes,
      problems,
      onOpen: (stream, socket) => this.#opened(stream, socket),
    });
  }

  #accepted(socket: Socket): void {
    const { doorway, entrance } = this.#context;
    if (doorway.enter(socket)) entrance.enter(socket, () => this.#letIn(socket));
  }

  #letIn(socket: Socket): void {
    if (this.#tls === undefined) this.#secured(socket);
    else this.#tls.secure(socket);
  }

  #secured(socket: Socket): void {
    if (this.#webSocket === undefined) this.#opened(socket, socket);
    else this.#webSocket.upgrade(socket);
  }

  /** `carrier`: the socket, of TCP or TLS, that carries the stream. */
  #opened(stream: Duplex, carrier: Socket): void {
    const { doorway, onLink } = this.#context;
    if (!doorway.pass(carrier)) {
      doorway.refuse(stream);
      return;
    }
    const certified = this.#certified.get(carrier) ?? null;
    onLink({ socket: stream, address: addressOf(carrier), anonymous: this.#options.anonymous, certified });
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
