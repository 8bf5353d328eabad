import type { SessionId } from '../../core/session.ts';
import type { Packet } from './lean-mqtt-packet.ts';
import { type Outgoing, OutgoingQueue } from './outgoing-queue.ts';
import { lowerQos, type Qos } from './packet.ts';

/** The way to a session's client, while it is connected. */
export interface Link {
  /** Whether it reads what it is sent. If not, the session is told when it does. */
  hasRoom(): boolean;
  send(packet: Packet): void;
}

export interface Subscriber {
  readonly session: Session;
  readonly qos: Qos;
  readonly subscriptionIdentifier?: number | undefined;
}

/** A message that has its place in the queue of a session. */
export interface Queued {
  readonly session: Session;
  readonly entry: Outgoing;
}

interface SessionNames {
  readonly id: SessionId;
  readonly clientId: string;
  /** Whose it is; empty for an anonymous client. */
  readonly owner: string;
  readonly awaySince: number | null;
}

/** One session that outlives its connection. */
export class Session {
  readonly id: SessionId;
  readonly clientId: string;
  readonly owner: string;
  readonly queue = new OutgoingQueue();
  /** By topic filter. */
  readonly subscriptions = new Map<string, Subscriber>();
  /** Milliseconds since 1970; null while its client is there, or when the clock did not know. */
  awaySince: number | null;
  #link: Link | null = null;

  constructor({ id, clientId, owner, awaySince }: SessionNames) {
    this.id = id;
    this.clientId = clientId;
    this.owner = owner;
    this.awaySince = awaySince;
  }

  get isConnected(): boolean {
    return this.#link !== null;
  }

  /** Everything that is not acknowledged goes out, again or for the first time [MQTT-4.4.0-1]. */
  attach(link: Link): void {
    this.#link = link;
    this.queue.rewind();
    this.send();
  }

  detach(): void {
    this.#link = null;
  }

  /** What is on disk and was not sent over this connection, as far as its client reads. */
  send(): void {
    const link = this.#link;
    for (let entry = this.queue.next(); entry !== undefined; entry = this.queue.next()) {
      if (link?.hasRoom() !== true) return;
      link.send(packetOf(entry));
      this.queue.sent(entry);
    }
  }
}

/** A message that may have been sent before goes out as a repetition [MQTT-3.3.1-1]. */
function packetOf({ released, topic, payload, qos, packetId: messageId, repeated: dup }: Outgoing): Packet {
  if (released) return { cmd: 'pubrel', messageId };
  return { cmd: 'publish', topic, payload, qos, retain: false, dup, messageId };
}

/** One copy per session, at the highest QoS of its subscriptions that match, but not above the message's [MQTT-3.3.5-1]. */
export function copiesFor(subscribers: readonly Subscriber[], published: Qos): ReadonlyMap<Session, 1 | 2> {
  const copies = new Map<Session, 1 | 2>();
  for (const { session, qos } of subscribers) {
    if (lowerQos(qos, published) === 2) copies.set(session, 2);
    else if (!copies.has(session)) copies.set(session, 1);
  }
  return copies;
}
