import { SluiceError } from '../core/errors.ts';

/** Wrong secrets of a device in a row that are checked without a pause. */
const MAX_WRONG = 3;
const PAUSE_MS = 5_000;
const MAX_KNOWN = 10_000;

interface Wrong {
  readonly count: number;
  readonly lastAt: number;
}

/** Who guesses at a device's secret gets one slow check in a while. */
export class WrongSecrets {
  readonly #now: () => number;
  readonly #wrong = new Map<string, Wrong>();

  /** `now`: milliseconds that only grow. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @throws SluiceError `busy` while the device is paused */
  check(device: string): void {
    const { count = 0, lastAt = 0 } = this.#wrong.get(device) ?? {};
    if (count < MAX_WRONG || this.#now() - lastAt >= PAUSE_MS) return;
    throw new SluiceError('too many wrong secrets came for this device', { code: 'busy', retryable: true });
  }

  note(device: string): void {
    const count = (this.#wrong.get(device)?.count ?? 0) + 1;
    // The one that was wrong last stands last.
    this.#wrong.delete(device);
    const [oldest] = this.#wrong.keys();
    if (oldest !== undefined && this.#wrong.size >= MAX_KNOWN) this.#wrong.delete(oldest);
    this.#wrong.set(device, { count, lastAt: this.#now() });
  }

  forget(device: string): void {
    this.#wrong.delete(device);
  }
}
