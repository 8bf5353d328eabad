import { pause } from './bounded.ts';

/** A lane that had something to send so lately is at work. */
const LIVE_MS = 1_000;
const LOOK_MS = 50;
/** A batch of the backlog may keep fresh records waiting for so long. */
const MAX_HELD_UP_MS = 500;

/**
 * Divides the link between the lanes and what is sent beside them: after a batch that took t, the backlog rests for
 * t·(1 − share)/share, for as long as there are fresh records.
 */
export class Pace {
  readonly #share: number;
  readonly #now: () => number;
  #liveAt = Number.NEGATIVE_INFINITY;

  /** `share`: above 0, up to 1. `now`: milliseconds that never go back. */
  constructor(share: number, now: () => number = () => performance.now()) {
    this.#share = share;
    this.#now = now;
  }

  /** A lane had something to send. */
  live(): void {
    this.#liveAt = this.#now();
  }

  get isShared(): boolean {
    return this.#now() - this.#liveAt < LIVE_MS;
  }

  /** Whether a batch of the backlog that took so long kept fresh records waiting for too long. */
  isTooLong(tookMs: number): boolean {
    return tookMs > MAX_HELD_UP_MS && this.isShared;
  }

  /** Resolves when the backlog may go on after a batch that took so long: at once while there are no fresh records. */
  async rest(tookMs: number, signal: AbortSignal): Promise<void> {
    const until = this.#now() + (tookMs * (1 - this.#share)) / this.#share;
    for (
      let leftMs = until - this.#now();
      leftMs > 0 && this.isShared && !signal.aborted;
      leftMs = until - this.#now()
    ) {
      await pause(Math.min(leftMs, LOOK_MS), signal);
    }
  }
}
