import type { SessionId, SessionRow, StoredSubscription } from '../../core/session.ts';
import { type Link, Session, type Subscriber } from './session.ts';
import type { SessionJournal } from './session-journal.ts';
import { SessionMessages } from './session-messages.ts';
import { type QueueLimits, SessionQueues } from './session-queues.ts';
import { SessionRegistry } from './session-registry.ts';
import { SessionSubscriptions } from './session-subscriptions.ts';

export interface SessionLimits extends QueueLimits {
  readonly maxSessions: number;
  /** Of one device. Anonymous clients are trusted with all. */
  readonly maxOwnSessions: number;
  readonly maxAwayMs: number;
  /** Of the topic filters of all sessions together, and of those of one device; as `FilterBudget` counts. */
  readonly maxFilterBytes: number;
  readonly maxOwnFilterBytes: number;
}

export interface SessionEvents {
  isConnected(clientId: string): boolean;
  /** A session had no room for a message. */
  onQueueFull(clientId: string): void;
  /** Messages waited for too long. */
  onAged(clientId: string, count: number): void;
  /** Messages are lost with a damaged log. */
  onLost(clientId: string, count: number): void;
  /** A session was given up for a newer one. */
  onEvicted(clientId: string): void;
  /** Somebody else has its client id now. */
  onReplaced(clientId: string): void;
  /** At the start there was no room for its topic filters. */
  onTooLarge(clientId: string): void;
  /** Its client was away for too long. */
  onExpired(clientId: string): void;
}

export interface SessionsOptions {
  readonly limits: SessionLimits;
  readonly events: SessionEvents;
  readonly journal: SessionJournal;
  readonly nextId: () => SessionId;
  /** Whether a session may have a subscription: what is granted may have changed since the last start. */
  readonly maySubscribe: (owner: string, topic: string) => boolean;
  /** Milliseconds since 1970; null while the clock is not synchronised. */
  readonly now: () => number | null;
}

/**
 * Sessions that outlive their connection (clean session off): subscriptions, and messages of QoS 1 and 2 that are not
 * acknowledged yet. Those go out through the queue alone, connected or not: in order, and none before it is on disk.
 */
export class Sessions {
  readonly messages: SessionMessages;
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents;
  readonly #journal: SessionJournal;
  readonly #nextId: () => SessionId;
  readonly #maySubscribe: SessionsOptions['maySubscribe'];
  readonly #now: () => number | null;
  readonly #sessions = new SessionRegistry();
  readonly #subscriptions: SessionSubscriptions;
  readonly #queues: SessionQueues;

  constructor({ limits, events, journal, nextId, maySubscribe, now }: SessionsOptions) {
    this.#limits = limits;
    this.#subscriptions = new SessionSubscriptions({
      maxBytes: limits.maxFilterBytes,
      maxOwnBytes: limits.maxOwnFilterBytes,
    });
    this.#queues = new SessionQueues(limits, journal);
    this.messages = new SessionMessages({
      sessions: this.#sessions,
      subscriptions: this.#subscriptions,
      queues: this.#queues,
      journal,
      now,
      onQueueFull: (clientId) => events.onQueueFull(clientId),
      onLost: (clientId, count) => events.onLost(clientId, count),
    });
    this.#events = events;
    this.#journal = journal;
    this.#nextId = nextId;
    this.#maySubscribe = maySubscribe;
    this.#now = now;
  }

  /** What was there when the gateway stopped, some of it; `restored` is to be called behind the last. */
  restore(rows: readonly SessionRow[]): void {
    for (const { subscriptions, ...row } of rows) {
      const session = this.#begin(row);
      const denied = subscriptions.filter(({ topic }) => !this.#maySubscribe(row.owner, topic));
      const granted = subscriptions.filter((subscription) => !denied.includes(subscription));
      const hadRoom = this.#subscriptions.addAll(session, granted);
      if (!hadRoom) this.#giveUp(session, (id) => this.#events.onTooLarge(id));
      // It can only fail when the store is gone, and the process with it.
      const topics = denied.map(({ topic }) => topic);
      if (topics.length > 0)
        this.#journal.save({ kind: 'unsubscribe', session: row.id, topics }).catch(() => undefined);
    }
  }

  restored(): void {
    this.#sessions.sort();
  }

  /** Resolves with whether there was a session, once the one that is there now is on disk. */
  async resume(clientId: string, owner: string): Promise<boolean> {
    const known = this.#sessions.get(clientId);
    // A device that was removed may have left a session behind; what it subscribed to is not everybody's business.
    if (known !== undefined && known.owner !== owner) {
      this.#events.onReplaced(clientId);
      await this.end(clientId);
    }
    const session = this.#sessions.get(clientId);
    if (session === undefined) {
      const id = this.#nextId();
      this.#begin({ id, clientId, owner, awaySince: null });
      await this.#journal.save({ kind: 'begin', session: id, clientId, owner });
      return false;
    }
    this.#sessions.touch(session);
    if (session.awaySince !== null) void this.#saveAway(session, null);
    await this.#journal.saved();
    return true;
  }

  /** Resolves when nothing of it is left on disk: a kill cannot bring it back. */
  async end(clientId: string): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    this.#drop(session);
    await this.#journal.save({ kind: 'end', session: session.id });
    await this.#journal.queue({ kind: 'ended', session: session.id });
  }

  /** Ends all of a device, as `end` does. Resolves with their client ids. */
  async endAllOf(owner: string): Promise<readonly string[]> {
    const clientIds = this.#sessions.listOf(owner).map(({ clientId }) => clientId);
    await Promise.all(clientIds.map((clientId) => this.end(clientId)));
    return clientIds;
  }

  /** Whether a session may have a filter more, or has it already. */
  hasRoomFor(clientId: string, filter: string): boolean {
    const session = this.#sessions.get(clientId);
    return session === undefined || this.#subscriptions.hasRoom(session, filter);
  }

  /** Resolves when that is on disk. */
  async subscribe(clientId: string, subscriptions: readonly StoredSubscription[]): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    // The last word on a topic counts, also when it is what is there already.
    const wanted = new Map(subscriptions.map((subscription) => [subscription.topic, subscription]));
    const fresh = [...wanted.values()].filter(({ topic, qos, subscriptionIdentifier }) => {
      const known = session.subscriptions.get(topic);
      return known?.qos !== qos || known.subscriptionIdentifier !== subscriptionIdentifier;
    });
    for (const subscription of fresh) this.#subscriptions.add(session, subscription);
    if (fresh.length > 0) await this.#journal.save({ kind: 'subscribe', session: session.id, subscriptions: fresh });
    else await this.#journal.saved();
  }

  /** Resolves when that is on disk. */
  async unsubscribe(clientId: string, topics: readonly string[]): Promise<void> {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    for (const topic of topics) this.#subscriptions.remove(session, topic);
    await this.#journal.save({ kind: 'unsubscribe', session: session.id, topics });
  }

  subscriptions(clientId: string): readonly StoredSubscription[] {
    const subscriptions = this.#sessions.get(clientId)?.subscriptions ?? new Map<string, Subscriber>();
    return [...subscriptions].map(([topic, { session: _, ...options }]) => ({ topic, ...options }));
  }

  /** The client of a session is there: everything that it has not acknowledged goes out, again or for the first time. */
  attach(clientId: string, link: Link): void {
    const session = this.#sessions.get(clientId);
    if (session === undefined) return;
    session.attach(link);
  }

  detach(clientId: string): void {
    const session = this.#sessions.get(clientId);
    if (session?.isConnected !== true) return;
    session.detach();
    this.#sessions.touch(session);
    void this.#saveAway(session, this.#now());
    this.#keepShare(session.owner, null);
  }

  /** The client reads again. */
  wake(clientId: string): void {
    this.#sessions.get(clientId)?.send();
  }

  /** Gives up what is too old. To be called now and then. */
  sweep(): void {
    const now = this.#now();
    if (now === null) return;
    for (const session of this.#sessions.list()) {
      if (session.isConnected) continue;
      if (session.awaySince === null) void this.#saveAway(session, now);
      else if (now - session.awaySince > this.#limits.maxAwayMs)
        this.#giveUp(session, (id) => this.#events.onExpired(id));
      const agedCount = this.#queues.removeAged(session, now);
      if (agedCount > 0) this.#events.onAged(session.clientId, agedCount);
    }
  }

  #begin(row: Omit<SessionRow, 'subscriptions'>): Session {
    const session = new Session(row);
    this.#sessions.add(session);
    this.#keepShare(row.owner, session);
    if (this.#sessions.size > this.#limits.maxSessions) this.#evictOne((other) => other !== session);
    return session;
  }

  #keepShare(owner: string, newest: Session | null): void {
    if (owner === '' || this.#sessions.countOf(owner) <= this.#limits.maxOwnSessions) return;
    this.#evictOne((session) => session.owner === owner && session !== newest);
  }

  #drop(session: Session): void {
    this.#subscriptions.removeAll(session);
    this.#queues.removeAll(session);
    this.#sessions.remove(session);
  }

  #saveAway(session: Session, since: number | null): Promise<void> {
    session.awaySince = since;
    return this.#journal.save({ kind: 'away', session: session.id, since }).catch(() => undefined);
  }

  #evictOne(mayGo: (session: Session) => boolean): void {
    const session = this.#sessions.longestAway((one) => mayGo(one) && !this.#events.isConnected(one.clientId));
    if (session !== undefined) this.#giveUp(session, (id) => this.#events.onEvicted(id));
  }

  /** It can only fail when the store is gone, and the process with it. */
  #giveUp({ clientId }: Session, tell: (clientId: string) => void): void {
    this.end(clientId).catch(() => undefined);
    tell(clientId);
  }
}
