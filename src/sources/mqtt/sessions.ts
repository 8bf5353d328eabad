import { FilterTree } from '../../core/filter-tree.ts';
import { OutgoingQueue } from './outgoing-queue.ts';
import { detached, keptBytes, type LocalPacket, lowerQos, type Qos } from './packet.ts';

export interface SessionLimits {
  readonly maxSessions: number;
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
}

export interface SessionEvents {
  /** A session had no room for a message. */
  onQueueFull(clientId: string): void;
  /** A session was given up for a newer one. */
  onEvicted(clientId: string): void;
  isConnected(clientId: string): boolean;
}

export interface StoredSubscription {
  readonly topic: string;
  readonly qos: Qos;
}

interface Session {
  readonly clientId: string;
  readonly subscriptions: Map<string, Subscriber>;
  readonly queue: OutgoingQueue;
}

interface Subscriber {
  readonly session: Session;
  readonly qos: Qos;
}

/** Sessions that outlive their connection (clean session off): subscriptions, and what is not acknowledged yet. */
export class Sessions {
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents;
  /** Longest not connected first, as far as that matters. */
  readonly #sessions = new Map<string, Session>();
  /** Subscriptions with QoS 1 and 2 only: nothing is kept for QoS 0. */
  readonly #tree = new FilterTree<Subscriber>();
  #queuedBytes = 0;

  constructor(limits: SessionLimits, events: SessionEvents) {
    this.#limits = limits;
    this.#events = events;
  }

  /** False when the client has no session yet; then it begins one. */
  resume(clientId: string): boolean {
    const known = this.#sessions.get(clientId);
    this.#sessions.delete(clientId);
    this.#sessions.set(clientId, known ?? { clientId, subscriptions: new Map(), queue: new OutgoingQueue() });
    if (this.#sessions.size > this.#limits.maxSessions) this.#evictOne(clientId);
    return known !== undefined;
  }

  end(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    this.unsubscribe(clientId, [...session.subscriptions.keys()]);
    this.#queuedBytes -= session.queue.bytes;
    this.#sessions.delete(clientId);
  }

  subscribe(clientId: string, { topic, qos }: StoredSubscription): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined || session.subscriptions.get(topic)?.qos === qos) return;
    this.unsubscribe(clientId, [topic]);
    const subscriber = { session, qos };
    session.subscriptions.set(topic, subscriber);
    if (qos > 0) this.#tree.add(topic, subscriber);
  }

  unsubscribe(clientId: string, topics: readonly string[]): void {
    const session = this.#sessions.get(clientId);
    for (const topic of topics) {
      const subscriber = session?.subscriptions.get(topic);
      if (subscriber === undefined) continue;
      session?.subscriptions.delete(topic);
      this.#tree.remove(topic, subscriber);
    }
  }

  subscriptions(clientId: string): readonly StoredSubscription[] {
    const subscriptions = this.#sessions.get(clientId)?.subscriptions ?? new Map<string, Subscriber>();
    return [...subscriptions].map(([topic, { qos }]) => ({ topic, qos }));
  }

  queueOf(clientId: string): OutgoingQueue | undefined {
    return this.#sessions.get(clientId)?.queue;
  }

  /** Keeps a QoS 1 or 2 message for every session that subscribed to it, connected or not. */
  enqueue(packet: LocalPacket): void {
    const subscribers = this.#tree.match(packet.topic);
    if (subscribers.length === 0) return;
    const kept = detached({ ...packet, retain: false });
    for (const [session, qos] of highestQos(subscribers)) {
      if (!this.#hasRoom(session, keptBytes(kept))) {
        this.#events.onQueueFull(session.clientId);
        continue;
      }
      session.queue.add({ ...kept, qos: lowerQos(qos, kept.qos) });
      this.#queuedBytes += keptBytes(kept);
    }
  }

  dequeue(clientId: string, which: { messageId?: number; brokerCounter?: number }): LocalPacket | undefined {
    const entry = this.#sessions.get(clientId)?.queue.remove(which);
    if (entry !== undefined) this.#queuedBytes -= keptBytes(entry.packet);
    return entry?.packet;
  }

  #hasRoom({ queue }: Session, bytes: number): boolean {
    return queue.count < this.#limits.maxQueuedMessages && this.#queuedBytes + bytes <= this.#limits.maxQueuedBytes;
  }

  #evictOne(except: string): void {
    for (const clientId of this.#sessions.keys()) {
      if (clientId === except || this.#events.isConnected(clientId)) continue;
      this.end(clientId);
      this.#events.onEvicted(clientId);
      return;
    }
  }
}

/** One copy per session, at the highest QoS of its subscriptions that match [MQTT-3.3.5-1]. */
function highestQos(subscribers: readonly Subscriber[]): ReadonlyMap<Session, Qos> {
  const highest = new Map<Session, Qos>();
  for (const { session, qos } of subscribers) {
    if (qos >= (highest.get(session) ?? 0)) highest.set(session, qos);
  }
  return highest;
}
