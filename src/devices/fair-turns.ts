import { SluiceError } from '../core/errors.ts';

/** Pieces of work at once: they share the threads that files are read by. */
const MAX_RUNNING = 2;
const MAX_WAITING_PER_OWNER = 4;
const MAX_WAITING_OWNERS = 256;

export type IsGone = () => boolean;

interface Waiter {
  /** Whether nobody wants the outcome any more. */
  readonly isGone: IsGone;
  readonly answer: (hasTurn: boolean) => void;
}

/**
 * Work of many owners, a little at a time: one piece of each owner, the owners in turn. However much one of them asks
 * for, the others wait for a piece of it at most.
 */
export class FairTurns {
  readonly #running = new Set<string>();
  /** In the order in which owners have their turn. */
  readonly #waiting = new Map<string, readonly Waiter[]>();

  /** Rejects with a SluiceError `busy` when too many wait, or when who asked was gone before the turn came. */
  async run<T>(owner: string, isGone: IsGone, work: () => Promise<T>): Promise<T> {
    if (!(await this.#turn(owner, isGone))) throw busy('who asked is gone');
    try {
      return await work();
    } finally {
      this.#running.delete(owner);
      this.#startNext();
    }
  }

  #turn(owner: string, isGone: IsGone): Promise<boolean> {
    if (this.#isFull(owner)) this.#dropGone();
    if (this.#isFull(owner)) throw busy('too many logins wait');
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.set(owner, [...(this.#waiting.get(owner) ?? []), { isGone, answer: resolve }]);
    this.#startNext();
    return promise;
  }

  #isFull(owner: string): boolean {
    const waiters = this.#waiting.get(owner);
    if (waiters === undefined) return this.#waiting.size >= MAX_WAITING_OWNERS;
    return waiters.length >= MAX_WAITING_PER_OWNER;
  }

  #dropGone(): void {
    for (const [owner, waiters] of this.#waiting) {
      const others = staying(waiters);
      if (others.length > 0) this.#waiting.set(owner, others);
      else this.#waiting.delete(owner);
    }
  }

  #startNext(): void {
    for (const [owner, waiters] of this.#waiting) {
      if (this.#running.size >= MAX_RUNNING) return;
      if (this.#running.has(owner)) continue;
      const [next, ...others] = staying(waiters);
      // Taken out and put in again it stands behind all others.
      this.#waiting.delete(owner);
      if (others.length > 0) this.#waiting.set(owner, others);
      if (next === undefined) continue;
      this.#running.add(owner);
      next.answer(true);
    }
  }
}

function staying(waiters: readonly Waiter[]): readonly Waiter[] {
  const { gone = [], here = [] } = Object.groupBy(waiters, ({ isGone }) => (isGone() ? 'gone' : 'here'));
  for (const { answer } of gone) answer(false);
  return here;
}

function busy(message: string): SluiceError {
  return new SluiceError(message, { code: 'busy', retryable: true });
}
