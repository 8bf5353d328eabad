import type { QueueChange, SessionChange } from '../../core/session.ts';
import type { SessionStore } from '../../core/state-store.ts';

/** What is acknowledged already need not be written at once: it costs a repetition at most. */
const LATER_MS = 1_000;

/**
 * The way of sessions and their queues to the disk, in order. What comes while one write is under way goes together.
 * After a write of sessions that failed there is no other: what is in memory is not on disk, and is never acknowledged.
 */
export class SessionJournal {
  readonly #store: SessionStore;
  #changes: SessionChange[] = [];
  #writing: Promise<void> = Promise.resolve();
  #next: Promise<void> | undefined;
  #later: QueueChange[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(store: SessionStore) {
    this.#store = store;
  }

  /** Resolves when that, and all before it, is on disk. */
  save(change: SessionChange): Promise<void> {
    this.#changes.push(change);
    this.#next ??= this.#write();
    return this.#next;
  }

  /** Resolves when all so far is on disk. */
  saved(): Promise<void> {
    return this.#next ?? this.#writing;
  }

  /** Resolves when that is on disk. */
  queue(change: QueueChange): Promise<void> {
    const changes = [...this.#later, change];
    this.#forgetLater();
    return this.#store.changeQueues(changes);
  }

  /** Goes with the next message that is stored, or soon. */
  queueLater(change: QueueChange): void {
    this.#later.push(change);
    this.#timer ??= setTimeout(() => this.ride(), LATER_MS).unref();
  }

  /** Something is about to be stored: what may wait goes with it, and before it. */
  ride(): void {
    if (this.#later.length > 0) this.#flush().catch(() => undefined);
  }

  /** Resolves when everything is on disk. */
  async stop(): Promise<void> {
    await this.#flush();
    await this.saved();
  }

  async #flush(): Promise<void> {
    const changes = this.#later;
    this.#forgetLater();
    if (changes.length > 0) await this.#store.changeQueues(changes);
  }

  #forgetLater(): void {
    this.#later = [];
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #write(): Promise<void> {
    await this.#writing;
    const changes = this.#changes;
    this.#changes = [];
    this.#next = undefined;
    this.#writing = this.#store.saveSessions(changes);
    await this.#writing;
  }
}
