import type { Duplex } from 'node:stream';
import type { Connection } from './connection.ts';

/** Who is connected: by socket, and by client id once let in. */
export class Connections implements Iterable<Connection> {
  readonly #all = new Set<Connection>();
  readonly #bySocket = new WeakMap<Duplex, Connection>();
  /** The one that was let in last under each client id. */
  readonly #admitted = new Map<string, Connection>();
  /** Their devices were removed: they are on their way out, and their wills are not published. */
  readonly #forgotten = new WeakSet<Connection>();

  [Symbol.iterator](): Iterator<Connection> {
    return this.#all.values();
  }

  add(connection: Connection): void {
    this.#all.add(connection);
    this.#bySocket.set(connection.socket, connection);
  }

  /** It is closed; `expel` takes its client id from it. */
  remove(connection: Connection): void {
    this.#all.delete(connection);
  }

  /** Also of a socket that is closed. */
  of(socket: Duplex): Connection {
    const connection = this.#bySocket.get(socket);
    if (connection === undefined) throw new Error('aedes asks about a socket that it was never given');
    return connection;
  }

  ofDevice(device: string): readonly Connection[] {
    return [...this.#all].filter(({ identity }) => identity === device);
  }

  /** Its client id speaks for it from now on. */
  admit(connection: Connection): void {
    this.#admitted.set(connection.clientId, connection);
  }

  /** Undefined when nobody is, or is on the way in, under that client id. */
  admitted(clientId: string): Connection | undefined {
    return this.#admitted.get(clientId);
  }

  /** Its client id is free, unless another one has it by now. */
  expel(connection: Connection): void {
    if (this.#admitted.get(connection.clientId) === connection) this.#admitted.delete(connection.clientId);
  }

  forget(connection: Connection): void {
    this.#forgotten.add(connection);
  }

  isForgotten(connection: Connection): boolean {
    return this.#forgotten.has(connection);
  }
}
