import type { Outgoing } from './outgoing-queue.ts';
import { keptBytes } from './packet.ts';
import type { Session } from './session.ts';
import type { SessionJournal } from './session-journal.ts';

export interface QueueLimits {
  /** Of one session each. */
  readonly maxQueuedMessages: number;
  readonly maxQueuedBytes: number;
  readonly maxQueuedAgeMs: number;
  /** Of the queues of all sessions together. */
  readonly maxBytes: number;
}

/** The queues of all sessions, within what they may hold each and together. */
export class SessionQueues {
  readonly #limits: QueueLimits;
  readonly #journal: SessionJournal;
  #bytes = 0;

  constructor(limits: QueueLimits, journal: SessionJournal) {
    this.#limits = limits;
    this.#journal = journal;
  }

  hasRoom({ queue }: Session, bytes: number): boolean {
    const { maxQueuedMessages, maxQueuedBytes, maxBytes } = this.#limits;
    if (queue.count >= maxQueuedMessages || queue.bytes + bytes > maxQueuedBytes) return false;
    return this.#bytes + bytes <= maxBytes;
  }

  add(session: Session, entry: Outgoing): void {
    session.queue.add(entry);
    this.#bytes += keptBytes(entry);
  }

  /** Its topic and payload came. What was queued meanwhile has taken their room: all may be twice what they may hold, once. */
  complete(session: Session, entry: Outgoing, content: Pick<Outgoing, 'topic' | 'payload'>): void {
    session.queue.complete(entry, content);
    this.#bytes += keptBytes(entry);
  }

  remove(session: Session, packetId: number): Outgoing | undefined {
    const entry = this.#take(session, packetId);
    if (entry !== undefined) this.#journal.queueLater({ kind: 'removed', session: session.id, place: entry.place });
    return entry;
  }

  /** Of a session that ends, which says enough to the disk. */
  removeAll(session: Session): void {
    for (const { packetId } of session.queue.list()) this.#take(session, packetId);
  }

  /** Gives up what waits for too long, and says how many; what was received already is brought to its end. */
  removeAged(session: Session, now: number): number {
    let count = 0;
    for (const entry of session.queue.list()) {
      if (entry.at === 0) entry.at = now;
      if (entry.released || !entry.stored || now - entry.at <= this.#limits.maxQueuedAgeMs) continue;
      this.remove(session, entry.packetId);
      count += 1;
    }
    return count;
  }

  #take(session: Session, packetId: number): Outgoing | undefined {
    const entry = session.queue.remove(packetId);
    if (entry !== undefined) this.#bytes -= keptBytes(entry);
    return entry;
  }
}
