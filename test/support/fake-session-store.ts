import { Buffer } from 'node:buffer';
import type {
  KeptMessage,
  Place,
  QueueChange,
  QueuedMessage,
  QueuePage,
  QueuePosition,
  RetainedMessage,
  SessionChange,
  SessionId,
  SessionRow,
  StoredWill,
} from '../../src/core/session.ts';
import type { SessionStore } from '../../src/core/state-store.ts';

/** What would be on disk. */
class Memory {
  readonly sessions = new Map<SessionId, SessionRow>();
  readonly wills = new Map<Place, StoredWill>();
  readonly retained = new Map<string, RetainedMessage>();
  queued: QueuedMessage[] = [];
  lastPlace: Place = 0;
}

/** Keeps the promises of the port in memory. */
export class FakeSessionStore implements SessionStore {
  readonly #memory: Memory;
  /** Kinds of the changes so far, in order. */
  readonly saved: string[] = [];
  /** Awaited before a change of sessions is answered; a test replaces it. */
  beforeSave: () => Promise<void> = () => Promise.resolve();

  constructor(memory = new Memory()) {
    this.#memory = memory;
  }

  /** Another one on the same data, as after a restart. */
  reopened(): FakeSessionStore {
    const memory = this.#memory;
    memory.queued = memory.queued.filter(({ session }) => memory.sessions.has(session));
    return new FakeSessionStore(memory);
  }

  async loadSessions(after: SessionId, maxCount: number): Promise<readonly SessionRow[]> {
    const behind = [...this.#memory.sessions.values()].filter(({ id }) => id > after);
    return behind.sort((a, b) => a.id - b.id).slice(0, maxCount);
  }

  async saveSessions(changes: readonly SessionChange[]): Promise<void> {
    await this.beforeSave();
    for (const change of changes) {
      this.saved.push(change.kind);
      this.#save(change);
    }
  }

  async loadQueues({ place, session }: QueuePosition, maxCount: number): Promise<QueuePage> {
    const messages = this.#memory.queued
      .filter((message) => message.place > place || (message.place === place && message.session > session))
      .sort((a, b) => a.place - b.place || a.session - b.session)
      .slice(0, maxCount);
    return { messages, upTo: messages.at(-1) ?? null };
  }

  async salvaged(): Promise<null> {
    return null;
  }

  async changeQueues(changes: readonly QueueChange[]): Promise<void> {
    for (const change of changes) this.#changeQueue(change);
  }

  async keep(message: KeptMessage): Promise<void> {
    const { place, at, topic, qos } = message;
    const payload = Buffer.from(message.payload ?? []);
    this.#memory.lastPlace = Math.max(this.#memory.lastPlace, place);
    for (const copy of message.copies)
      this.#memory.queued.push({ ...copy, place, at, released: false, content: { topic, payload } });
    if (message.retained && payload.length === 0) this.#memory.retained.delete(topic);
    else if (message.retained) this.#memory.retained.set(topic, { topic, qos, payload });
  }

  async loadWills(after: Place, maxCount: number): Promise<readonly StoredWill[]> {
    const behind = [...this.#memory.wills.values()].filter(({ id }) => id > after);
    return behind.sort((a, b) => a.id - b.id).slice(0, maxCount);
  }

  async loadRetained(afterTopic: string, maxCount: number): Promise<readonly RetainedMessage[]> {
    const behind = [...this.#memory.retained.values()].filter(({ topic }) => topic > afterTopic);
    return behind.sort((a, b) => (a.topic < b.topic ? -1 : 1)).slice(0, maxCount);
  }

  async lastPlace(): Promise<Place> {
    return Math.max(this.#memory.lastPlace, ...this.#memory.sessions.keys(), ...this.#memory.wills.keys());
  }

  #changeQueue(change: QueueChange): void {
    const isMeant = ({ place, session }: QueuedMessage) =>
      session === change.session && (change.kind === 'ended' || place === change.place);
    if (change.kind !== 'released') this.#memory.queued = this.#memory.queued.filter((message) => !isMeant(message));
    else this.#memory.queued = this.#memory.queued.map((one) => (isMeant(one) ? { ...one, released: true } : one));
  }

  #save(change: SessionChange): void {
    const { wills } = this.#memory;
    if (change.kind === 'will') wills.set(change.will.id, change.will);
    else if (change.kind === 'will_gone') wills.delete(change.id);
    else this.#saveSession(change);
  }

  #saveSession(change: Exclude<SessionChange, { readonly kind: 'will' | 'will_gone' }>): void {
    const { sessions } = this.#memory;
    if (change.kind === 'begin') {
      const { session: id, clientId, owner } = change;
      sessions.set(id, { id, clientId, owner, awaySince: null, subscriptions: [] });
      return;
    }
    const row = sessions.get(change.session);
    if (row === undefined) return;
    const others = (topics: readonly string[]) => row.subscriptions.filter(({ topic }) => !topics.includes(topic));
    if (change.kind === 'end') sessions.delete(row.id);
    else if (change.kind === 'away') sessions.set(row.id, { ...row, awaySince: change.since });
    else if (change.kind === 'unsubscribe') sessions.set(row.id, { ...row, subscriptions: others(change.topics) });
    else {
      const kept = others(change.subscriptions.map(({ topic }) => topic));
      sessions.set(row.id, { ...row, subscriptions: [...kept, ...change.subscriptions] });
    }
  }
}
