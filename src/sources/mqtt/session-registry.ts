import type { SessionId } from '../../core/session.ts';
import type { Session } from './session.ts';

/** The sessions that there are, in the order in which their clients left. */
export class SessionRegistry {
  readonly #sessions = new Map<string, Session>();
  readonly #countByOwner = new Map<string, number>();

  get size(): number {
    return this.#sessions.size;
  }

  get(clientId: string): Session | undefined {
    return this.#sessions.get(clientId);
  }

  list(): Session[] {
    return [...this.#sessions.values()];
  }

  byId(): ReadonlyMap<SessionId, Session> {
    return new Map(this.list().map((session) => [session.id, session]));
  }

  listOf(owner: string): Session[] {
    return this.list().filter((session) => session.owner === owner);
  }

  countOf(owner: string): number {
    return this.#countByOwner.get(owner) ?? 0;
  }

  add(session: Session): void {
    this.#sessions.set(session.clientId, session);
    this.#countByOwner.set(session.owner, this.countOf(session.owner) + 1);
  }

  remove({ clientId, owner }: Session): void {
    if (!this.#sessions.delete(clientId)) return;
    const count = this.countOf(owner) - 1;
    if (count === 0) this.#countByOwner.delete(owner);
    else this.#countByOwner.set(owner, count);
  }

  /** Its client comes or leaves: it is the last one to make room. */
  touch(session: Session): void {
    this.#sessions.delete(session.clientId);
    this.#sessions.set(session.clientId, session);
  }

  /** Brings those of the last start into their order; who was there until the end is last. */
  sort(): void {
    const leftAt = ({ awaySince }: Session): number => awaySince ?? Number.MAX_SAFE_INTEGER;
    const sorted = this.list().sort((a, b) => leftAt(a) - leftAt(b));
    for (const session of sorted) this.touch(session);
  }

  /** Of those that may go the one that is away for longest, from the owner with most sessions. */
  longestAway(mayGo: (session: Session) => boolean): Session | undefined {
    let found: Session | undefined;
    for (const session of this.#sessions.values()) {
      const isMore = found === undefined || this.countOf(session.owner) > this.countOf(found.owner);
      if (isMore && mayGo(session)) found = session;
    }
    return found;
  }
}
