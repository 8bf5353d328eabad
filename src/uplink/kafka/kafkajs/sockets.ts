import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ISocketFactory } from 'kafkajs';
import type { TlsIdentity } from '../credentials.ts';

const KEEP_ALIVE_MS = 30_000;

export interface SocketsOptions {
  /** Names that stand for addresses which kafkajs cannot spell. */
  readonly hosts: ReadonlyMap<string, string>;
  /** Undefined: not encrypted. */
  readonly tls: TlsIdentity | undefined;
}

/**
 * The sockets of one client. kafkajs never leaves a connection that is dead but open, and reconnects behind our
 * back: only who holds the sockets can end it.
 */
export class Sockets {
  readonly #open = new Set<Socket>();
  readonly #options: SocketsOptions;
  #isClosed = false;

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** For kafkajs, which reads a throw as a failed connection. */
  readonly factory: ISocketFactory = ({ host, port, onConnect }) => {
    if (this.#isClosed) throw new Error('the client was thrown away');
    const socket = this.#connect(this.#options.hosts.get(host) ?? host, port, onConnect);
    socket.setNoDelay(true);
    socket.setKeepAlive(true, KEEP_ALIVE_MS);
    // kafkajs calls `unref` whenever it hears of a closed socket's end again, and each call adds a listener.
    socket.setMaxListeners(0);
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
    return socket;
  };

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Cuts all at once; requests on them fail. */
  destroy(): void {
    this.#isClosed = true;
    for (const socket of this.#open) socket.destroy(new Error('the connection was given up'));
  }

  #connect(host: string, port: number, onConnect: () => void): Socket {
    const { tls } = this.#options;
    if (tls === undefined) return connect({ host, port }, onConnect);
    // An address is no name that SNI could ask for (RFC 6066, 3); Node checks it in the certificate all the same.
    const servername = tls.servername ?? (isIP(host) === 0 ? host : undefined);
    const options = { host, port, secureContext: tls.secureContext };
    return connectTls(servername === undefined ? options : { ...options, servername }, onConnect);
  }
}
