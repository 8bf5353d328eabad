import { Buffer } from 'node:buffer';
import { ownBytes } from '../../core/own-copy.ts';
import type { MessageContent, Place, QueuedMessage } from '../../core/session.ts';
import type { Outgoing, OutgoingQueue } from './outgoing-queue.ts';
import { keptBytes, type Qos } from './packet.ts';
import { copiesFor, type Queued } from './session.ts';
import type { SessionJournal } from './session-journal.ts';
import type { SessionQueues } from './session-queues.ts';
import type { SessionRegistry } from './session-registry.ts';
import type { SessionSubscriptions } from './session-subscriptions.ts';

export interface QueueableMessage {
  readonly place: Place;
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
}

export interface SessionMessagesOptions {
  readonly sessions: SessionRegistry;
  readonly subscriptions: SessionSubscriptions;
  readonly queues: SessionQueues;
  readonly journal: SessionJournal;
  /** Milliseconds since 1970; null while the clock is not synchronised. */
  readonly now: () => number | null;
  /** A session had no room for a message. */
  readonly onQueueFull: (clientId: string) => void;
  /** So many messages of a session did not come back. */
  readonly onLost: (clientId: string, count: number) => void;
}

const NOTHING = Buffer.alloc(0);
const NONE: readonly Queued[] = [];

/** How messages get into the queues of sessions, and out of them. */
export class SessionMessages {
  readonly #sessions: SessionRegistry;
  readonly #subscriptions: SessionSubscriptions;
  readonly #queues: SessionQueues;
  readonly #journal: SessionJournal;
  readonly #now: () => number | null;
  readonly #onQueueFull: SessionMessagesOptions['onQueueFull'];
  readonly #onLost: SessionMessagesOptions['onLost'];

  constructor({ sessions, subscriptions, queues, journal, now, onQueueFull, onLost }: SessionMessagesOptions) {
    this.#sessions = sessions;
    this.#subscriptions = subscriptions;
    this.#queues = queues;
    this.#journal = journal;
    this.#now = now;
    this.#onQueueFull = onQueueFull;
    this.#onLost = onLost;
  }

  /**
   * In their order. Whether they were sent before, nobody knows any more. One without its content has its place, and holds
   * back what is behind it; returns whether there is any.
   */
  restore(messages: readonly QueuedMessage[]): boolean {
    const byId = this.#sessions.byId();
    for (const { session: id, content, ...message } of messages) {
      const session = byId.get(id);
      const state = { stored: true, awaited: content === null, repeated: true };
      if (session !== undefined) this.#queues.add(session, { ...message, ...contentOf(content), ...state });
    }
    return messages.some(({ content }) => content === null);
  }

  /** As the same messages are now: those that were awaited and are there go out. */
  complete(messages: readonly QueuedMessage[]): void {
    const byId = this.#sessions.byId();
    for (const { session: id, place, packetId, content } of messages) {
      const session = byId.get(id);
      const entry = session?.queue.get(packetId);
      // Behind an acknowledgement another message may have its packet id.
      if (session === undefined || entry?.awaited !== true || entry.place !== place || content === null) continue;
      this.#queues.complete(session, entry, contentOf(content));
      session.send();
    }
  }

  /** Nothing that is awaited comes any more. */
  giveUpAwaited(): void {
    for (const session of this.#sessions.list()) {
      const lost = session.queue.list().filter(({ awaited }) => awaited);
      if (lost.length === 0) continue;
      for (const { packetId } of lost) this.#queues.remove(session, packetId);
      this.#onLost(session.clientId, lost.length);
      session.send();
    }
  }

  queueOf(clientId: string): OutgoingQueue | undefined {
    return this.#sessions.get(clientId)?.queue;
  }

  /**
   * For a message that is not in the queue: a retained one that a subscription asked for, a command, or one that found
   * no room. That one alone must not overtake what waits [MQTT-4.6.0-6].
   */
  packetIdPastQueue(clientId: string, mayOvertake: boolean): number | undefined {
    const queue = this.queueOf(clientId);
    return mayOvertake || queue?.isSent === true ? queue?.nextPacketId() : undefined;
  }

  /** Gives a QoS 1 or 2 message its place in the queue of every session that subscribed to it. */
  queue({ place, topic, payload, qos }: QueueableMessage): readonly Queued[] {
    const subscribers = qos === 0 ? [] : this.#subscriptions.match(topic);
    if (subscribers.length === 0) return NONE;
    const content = ownBytes(payload);
    const queued: Queued[] = [];
    for (const [session, granted] of copiesFor(subscribers, qos)) {
      const packetId = this.#queues.hasRoom(session, keptBytes({ topic, payload }))
        ? session.queue.nextPacketId()
        : undefined;
      if (packetId === undefined) {
        this.#onQueueFull(session.clientId);
        continue;
      }
      const entry: Outgoing = {
        place,
        packetId,
        topic,
        payload: content,
        qos: granted,
        at: this.#now() ?? 0,
        stored: false,
        awaited: false,
        repeated: false,
        released: false,
      };
      this.#queues.add(session, entry);
      queued.push({ session, entry });
    }
    return queued;
  }

  /** These are on disk and may go out. Returns the clients that get the message in this way. */
  stored(queued: readonly Queued[]): ReadonlySet<string> {
    const clientIds = new Set<string>();
    for (const { session, entry } of queued) {
      entry.stored = true;
      if (this.#sessions.get(session.clientId) !== session) continue;
      clientIds.add(session.clientId);
      session.send();
    }
    return clientIds;
  }

  /** These were not stored, because the message had been before. */
  withdraw(queued: readonly Queued[]): void {
    for (const { session, entry } of queued) {
      if (session.queue.get(entry.packetId) === entry) this.#queues.remove(session, entry.packetId);
      session.send();
    }
  }

  /** PUBREC came. Resolves when PUBREL may be sent. */
  async released(clientId: string, packetId: number): Promise<void> {
    const session = this.#sessions.get(clientId);
    const entry = session?.queue.get(packetId);
    if (session === undefined || entry === undefined || entry.released) return;
    entry.released = true;
    entry.awaited = false;
    await this.#journal.queue({ kind: 'released', session: session.id, place: entry.place });
  }

  acknowledged(clientId: string, packetId: number): Outgoing | undefined {
    const session = this.#sessions.get(clientId);
    return session === undefined ? undefined : this.#queues.remove(session, packetId);
  }
}

/** Over the same bytes. */
function contentOf(content: MessageContent | null): Pick<Outgoing, 'topic' | 'payload'> {
  if (content === null) return { topic: '', payload: NOTHING };
  const { topic, payload } = content;
  return { topic, payload: Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength) };
}
