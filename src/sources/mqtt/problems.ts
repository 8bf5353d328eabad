import { messageOf } from '../../core/errors.ts';
import { printable } from '../../core/printable.ts';
import type { Logger } from '../../platform/logger.ts';
import { RepeatSummary } from '../../platform/repeat-summary.ts';
import type { ConnectPacket } from './aedes-broker.ts';
import type { IgnoredResponse } from './command-sink.ts';
import type { Connection, ConnectionFault } from './connection.ts';
import type { Refusal } from './login.ts';
import type { RefusedCommand } from './published-commands.ts';

export interface TlsFailure {
  readonly reason: string;
  /** What to do; absent where a connection just ended. */
  readonly hint?: string;
}

export interface UpgradeRefusal {
  readonly status: 400 | 403 | 404;
  readonly reason: string;
  readonly hint: string;
}

const VERSION_HINT =
  'the gateway speaks MQTT 3.1.1 and 3.1: set mosquitto_pub -V mqttv311, mqtt.js protocolVersion: 4, Paho MQTTv311';

/** What goes wrong with clients, in plain words; repeated failures are summed up. */
export class Problems {
  readonly #logger: Logger;
  readonly #summary: RepeatSummary;

  constructor(logger: Logger) {
    this.#logger = logger;
    this.#summary = new RepeatSummary({ logger });
  }

  refused(connection: Connection, { clientId, username }: ConnectPacket, { code, reason, hint }: Refusal): void {
    const device = username === undefined ? undefined : printable(username);
    const fields = { clientId: printable(clientId), device, address: connection.address, code, reason, hint };
    this.#summary.warn(`refused ${code} ${clientId}`, fields, 'MQTT client refused');
  }

  fault({ address, clientId }: Connection, fault: ConnectionFault): void {
    const fields = { address, clientId: printable(clientId), reason: fault.kind };
    const key = `${fault.kind} ${address} ${clientId}`;
    if (fault.kind !== 'unsupported_version') {
      this.#summary.warn(key, fields, 'MQTT connection closed');
      return;
    }
    const what = { address, code: 1, reason: `protocol level ${fault.version}`, hint: VERSION_HINT };
    this.#summary.warn(key, what, fault.version === 5 ? 'MQTT 5 client refused' : 'MQTT client refused');
  }

  violation({ address }: Connection, reason: string): void {
    this.#summary.warn(`violation ${address}`, { address, reason }, 'MQTT connection closed');
  }

  /** It did what the standard forbids, or what no client needs. */
  misbehaved(clientId: string, reason: string): void {
    const fields = { clientId: printable(clientId), reason };
    this.#summary.warn(`misbehaved ${clientId}`, fields, 'MQTT connection closed');
  }

  /** `hint` is absent where a connection just ended, which is everyday life too. */
  tlsFailed(address: string, { reason, hint }: TlsFailure): void {
    const fields = { address, reason: printable(reason, 200), hint };
    if (hint === undefined) this.#logger.debug(fields, 'TLS handshake failed');
    else this.#summary.warn(`tls ${address} ${reason}`, fields, 'TLS handshake failed');
  }

  upgradeRefused(address: string, { status, reason, hint }: UpgradeRefusal): void {
    this.#summary.warn(`upgrade ${address} ${status}`, { address, status, reason, hint }, 'WebSocket refused');
  }

  tooManyClients(address: string, maxClients: number): void {
    const hint = 'raise mqtt.maxClients, or look for clients that connect again and again';
    this.#summary.warn('too many clients', { address, maxClients, hint }, 'MQTT connection refused: too many clients');
  }

  connectsTooFast(address: string, ratePerS: number): void {
    const hint = 'look for clients that connect again and again, or raise mqtt.maxConnectRate';
    const fields = { address, maxConnectRate: ratePerS, hint };
    this.#summary.warn('connects too fast', fields, 'MQTT connections come too fast: they wait for their turn');
  }

  queueFull(clientId: string): void {
    const fields = { clientId: printable(clientId), hint: 'see mqtt.maxQueuedMessages and mqtt.maxQueuedBytes' };
    this.#summary.warn(`queue ${clientId}`, fields, 'message not kept for an MQTT session: its queue is full');
  }

  queueAged(clientId: string, count: number): void {
    const fields = { clientId: printable(clientId), count, hint: 'see mqtt.maxQueuedAge' };
    this.#summary.warn(`aged ${clientId}`, fields, 'messages waited too long for an MQTT session and are given up');
  }

  queueLost(clientId: string, count: number): void {
    const fields = { clientId: printable(clientId), count };
    this.#summary.warn(`lost ${clientId}`, fields, 'messages for an MQTT session are lost with the damaged log');
  }

  sessionExpired(clientId: string): void {
    const fields = { clientId: printable(clientId), hint: 'see mqtt.sessionExpiry' };
    this.#summary.warn('expired', fields, 'MQTT session ended: its client was away for too long');
  }

  sessionEvicted(clientId: string): void {
    this.#summary.warn('evicted', { clientId: printable(clientId) }, 'MQTT session given up: there are too many');
  }

  sessionTooLarge(clientId: string): void {
    const fields = { clientId: printable(clientId) };
    this.#summary.warn('too large', fields, 'MQTT session ended: no room for its subscriptions');
  }

  subscriptionsFull({ clientId, identity }: Connection): void {
    const hint = 'subscribe with wildcards, or end sessions that are not used';
    const fields = { clientId: printable(clientId), device: identity, hint };
    const message = 'MQTT subscribe denied: no room in the sessions';
    this.#summary.warn(`subscriptions ${identity ?? clientId}`, fields, message);
  }

  retainedFull(topic: string): void {
    this.#summary.warn('retained', { topic: printable(topic, 200) }, 'message not retained: there are too many');
  }

  willsFull(clientId: string): void {
    const fields = { clientId: printable(clientId), hint: 'give fewer clients a will, or smaller ones' };
    this.#summary.warn('wills', fields, 'will not kept over a kill of the gateway: there are too many');
  }

  responseIgnored({ clientId, identity, topic, reason }: IgnoredResponse): void {
    const fields = { clientId: printable(clientId), device: identity, topic: printable(topic, 200), reason };
    this.#summary.warn(`response ${reason} ${clientId}`, fields, 'MQTT response ignored: it answers no command');
  }

  commandRefused({ clientId, identity, topic, reason, error }: RefusedCommand): void {
    const fields = { clientId: printable(clientId), device: identity, topic: printable(topic, 200), reason, error };
    this.#summary.warn(`command ${reason} ${topic}`, fields, 'MQTT command not given');
  }

  slowSubscriber(clientId: string): void {
    const fields = { clientId: printable(clientId) };
    this.#summary.warn(`slow ${clientId}`, fields, 'message not handed to an MQTT client: it reads too slowly');
  }

  /** A broken connection is everyday life; it is told in debug only. */
  broken(clientId: string, error: Error): void {
    this.#logger.debug(
      { clientId: printable(clientId), reason: printable(error.message, 200) },
      'MQTT connection closed',
    );
  }

  internal(error: unknown): void {
    this.#summary.warn('internal', { error: messageOf(error) }, 'the MQTT broker failed');
  }

  stop(): void {
    this.#summary.stop();
  }
}
