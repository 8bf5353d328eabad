import type { Socket } from 'node:net';
import type { ISocketFactory } from 'kafkajs';
import { limitAnswers } from '../answer-limit.ts';
import { connectTo } from '../connect.ts';
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
    const { hosts, tls } = this.#options;
    const socket = connectTo({ host: hosts.get(host) ?? host, port, tls }, onConnect);
    limitAnswers(socket);
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
}
