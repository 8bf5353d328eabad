import { SluiceError } from '../core/errors.ts';
import { type DiskFault, diskFaultOf, isDamage } from './file-errors.ts';
import type { Reserve } from './reserve.ts';

export interface OutageOptions {
  readonly reserve: Pick<Reserve, 'take' | 'release'>;
  /** Opens both files again. Throws what keeps it from that. */
  readonly reopen: () => void;
  /** Why the files cannot be read at all, or undefined: what looks like damage then is none. */
  readonly readError: () => unknown;
  /** A file is not as it was written. The process ends, and the next start must know. */
  readonly onDamage: () => void;
  /** The disk may take writes again, or just what shrinks: what waits is to be tried. */
  readonly retry: () => void;
}

const FIRST_DELAY_MS = 500;
const MAX_DELAY_MS = 2_000;

/**
 * The time during which the disk takes no writes, and the way back. A full disk is waited out, on the space of the
 * reserve. After any other fault the files are opened again before anything more is written: a sync that failed is
 * never tried again, because the next one may succeed without the pages that the first one lost. It ends when the disk
 * proves that it writes and syncs, however long that takes.
 */
export class Outage {
  readonly #options: OutageOptions;
  #reason: string | null = null;
  #mustReopen = false;
  /** Damage was met since the last commit. */
  #isDoubted = false;
  #delayMs = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Why nothing that grows can be stored now, or null. */
  get reason(): string | null {
    return this.#reason;
  }

  /** True when nothing at all can be written. */
  get isTotal(): boolean {
    return this.#mustReopen;
  }

  /** A write failed. @throws the error itself when it is none that a disk makes */
  begin(error: unknown): void {
    const fault = diskFaultOf(error) ?? (isDamage(error) ? this.#doubt() : undefined);
    if (fault === undefined) {
      if (isDamage(error)) this.#options.onDamage();
      throw error;
    }
    this.#reason = fault.reason;
    this.#mustReopen ||= fault.kind === 'broken';
    if (fault.kind === 'full') this.#release();
    this.#schedule();
  }

  /** The same for a write that somebody waits for: returns what to answer. */
  refusal(error: unknown): unknown {
    if (diskFaultOf(error) === undefined) return error;
    this.begin(error);
    return new SluiceError(`nothing can be stored: ${this.#reason}`, {
      code: 'disk_failed',
      retryable: true,
      hint: 'it goes on by itself when the disk takes writes again',
      cause: error,
    });
  }

  /** At the start: the space of the reserve is not there yet. */
  takeReserve(): void {
    this.#attempt(() => {
      if (!this.#options.reserve.take()) this.#wait('the disk is full');
    });
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  /** A commit is on the disk. */
  worked(): void {
    this.#isDoubted = false;
    if (this.#reason === null) this.#delayMs = FIRST_DELAY_MS;
  }

  /** Damage is believed when it is still there in files that were opened again. */
  #doubt(): DiskFault | undefined {
    const fault = diskFaultOf(this.#options.readError());
    if (fault !== undefined) return fault;
    if (this.#isDoubted) return undefined;
    this.#isDoubted = true;
    return { kind: 'broken', reason: 'a file was not read as it was written' };
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#tryAgain(), this.#delayMs);
    this.#delayMs = Math.min(MAX_DELAY_MS, this.#delayMs * (this.#mustReopen ? 2 : 1));
  }

  #tryAgain(): void {
    this.#timer = undefined;
    this.#attempt(() => {
      if (this.#mustReopen) this.#options.reopen();
      this.#mustReopen = false;
      if (this.#options.reserve.take()) this.#reason = null;
      else this.#wait('the disk is full');
    });
    this.#options.retry();
  }

  #wait(reason: string): void {
    this.#reason = reason;
    this.#schedule();
  }

  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.begin(error);
    }
  }

  /** A disk that cannot even remove a file will say so at the next write. */
  #release(): void {
    try {
      this.#options.reserve.release();
    } catch (error) {
      if (diskFaultOf(error) === undefined) throw error;
    }
  }
}
