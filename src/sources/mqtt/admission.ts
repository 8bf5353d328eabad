import type { BrokerClient, ConnectPacket } from './aedes-broker.ts';
import { REFUSED } from './connect-packet.ts';
import type { Connection } from './connection.ts';
import type { Login, Refusal } from './login.ts';
import type { Problems } from './problems.ts';
import { Turns } from './turns.ts';

export interface AdmissionOptions {
  readonly login: Login;
  readonly problems: Problems;
  /** The client that has this client id now. */
  readonly clientOf: (clientId: string) => BrokerClient | undefined;
  /** Whether too much waits for the store already. */
  readonly isOverloaded: () => boolean;
}

const OVERLOADED: Refusal = {
  kind: 'refused',
  code: REFUSED.unavailable,
  reason: 'nothing can be stored, and too much waits for it already',
  hint: 'make room on the disk or in the buffer; clients are let in again by themselves',
};

function entranceOf(connection: Connection): Parameters<Login['judge']>[1] {
  const { anonymous, certified } = connection.link;
  return { anonymous, certified, isGone: () => connection.closed };
}

/**
 * Lets clients in, one at a time per client id. A client that is replaced is gone completely before the new one is
 * let in [MQTT-3.1.4-2]: aedes would clean up behind the old one while the new one is served already, and what it
 * removes belongs to both, by their client id.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #turns = new Turns();
  readonly #endTurn = new WeakMap<object, () => void>();
  readonly #gone = new WeakMap<object, () => void>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** Resolves with whether aedes may go on with the CONNECT; if not, the client has its answer. */
  async admit(client: BrokerClient, connection: Connection, packet: ConnectPacket): Promise<boolean> {
    const { login, isOverloaded } = this.#options;
    const verdict = isOverloaded() ? OVERLOADED : await login.judge(packet, entranceOf(connection));
    if (verdict.kind === 'admitted') {
      connection.clientId = verdict.clientId;
      connection.identity = verdict.identity;
      packet.clientId = verdict.clientId;
      return await this.#takeOver(client, connection);
    }
    if (verdict.kind === 'refused') {
      this.#options.problems.refused(connection, packet, verdict);
      if (!client.closed) connection.refuse(verdict.code);
    } else {
      this.#options.problems.violation(connection, verdict.reason);
      connection.socket.destroy();
    }
    return false;
  }

  /** The client holds its client id: the next one may come. */
  registered(client: BrokerClient): void {
    this.#endTurn.get(client)?.();
  }

  gone(client: BrokerClient): void {
    this.#gone.get(client)?.();
  }

  async #takeOver(client: BrokerClient, connection: Connection): Promise<boolean> {
    const endTurn = await this.#turns.take(connection.clientId);
    this.#endTurn.set(client, endTurn);
    client.conn.once('close', endTurn);
    const former = this.#options.clientOf(connection.clientId);
    if (former !== undefined) await this.#closeCompletely(former);
    if (!client.closed) return true;
    endTurn();
    return false;
  }

  async #closeCompletely(client: BrokerClient): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gone.set(client, resolve);
    client.close();
    await promise;
  }
}
