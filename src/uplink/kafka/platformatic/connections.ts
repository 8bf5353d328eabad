import type { Base, Connection } from '@platformatic/kafka';
import { limitAnswers } from '../answer-limit.ts';

const KEEP_ALIVE_MS = 30_000;

/**
 * The connections of one client. The library ends them in good order only, which a frozen network never lets happen, and
 * reports a second fault of one when nobody listens any more, which would end the process.
 */
export class Connections {
  readonly #open = new Set<Connection>();
  #lastError: Error | undefined;

  /** Why a connection ended, of the last that did not end in good order. */
  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Must be called before the client connects. */
  watch(client: Base): void {
    client.connections.on('connecting', ({ connection }) => this.#add(connection));
    client.connections.on('connect', ({ connection }) => connection.socket.setKeepAlive(true, KEEP_ALIVE_MS));
  }

  /** Cuts all at once; requests on them fail. */
  destroy(): void {
    for (const { socket } of this.#open) socket?.destroy();
    this.#open.clear();
  }

  #add(connection: Connection): void {
    this.#open.add(connection);
    // It has a socket as soon as whoever asked for it has returned, and nothing is read before.
    queueMicrotask(() => {
      if (connection.socket !== undefined) limitAnswers(connection.socket);
    });
    connection.once('close', () => this.#open.delete(connection));
    connection.on('error', (error) => {
      this.#lastError = error;
      this.#open.delete(connection);
      connection.socket?.destroy();
    });
  }
}
