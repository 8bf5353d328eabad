import type { Logger } from './logger.ts';

export interface RepeatSummaryOptions {
  readonly logger: Logger;
  readonly intervalMs?: number;
  /** Kinds told apart at the same time; what goes beyond is summed up together. */
  readonly maxKeys?: number;
  /** Milliseconds of a clock that never goes back. */
  readonly now?: () => number;
}

interface Repeated {
  since: number;
  until: number;
  heldBackCount: number;
  fields: object;
  message: string;
}

const OVERFLOW_KEY = '';

/** Logs the first failure of a kind at once, and sums up what follows: "12 more in the last 60 s". */
export class RepeatSummary {
  readonly #logger: Logger;
  readonly #intervalMs: number;
  readonly #maxKeys: number;
  readonly #now: () => number;
  readonly #repeated = new Map<string, Repeated>();
  #timer: NodeJS.Timeout | undefined;

  constructor({ logger, intervalMs = 60_000, maxKeys = 1_000, now = () => performance.now() }: RepeatSummaryOptions) {
    this.#logger = logger;
    this.#intervalMs = intervalMs;
    this.#maxKeys = maxKeys;
    this.#now = now;
  }

  /** `key` says what counts as the same failure; the fields of the latest one stand in the summary. */
  warn(key: string, fields: object, message: string): void {
    const kind = this.#repeated.has(key) || this.#repeated.size < this.#maxKeys ? key : OVERFLOW_KEY;
    const repeated = this.#repeated.get(kind);
    if (repeated === undefined) {
      this.#repeated.set(kind, { ...this.#period(), heldBackCount: 0, fields, message });
      this.#arm();
      this.#logger.warn(fields, message);
      return;
    }
    repeated.heldBackCount += 1;
    repeated.fields = fields;
    repeated.message = message;
    if (repeated.until <= this.#now()) this.#expire(kind, repeated);
  }

  /** Tells at once what is held back. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const repeated of this.#repeated.values()) this.#summarise(repeated);
    this.#repeated.clear();
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => this.#sweep(), this.#intervalMs).unref();
  }

  #sweep(): void {
    this.#timer = undefined;
    const now = this.#now();
    for (const [key, repeated] of this.#repeated) if (repeated.until <= now) this.#expire(key, repeated);
    if (this.#repeated.size > 0) this.#arm();
  }

  #expire(key: string, repeated: Repeated): void {
    if (repeated.heldBackCount === 0) {
      this.#repeated.delete(key);
      return;
    }
    this.#summarise(repeated);
    repeated.heldBackCount = 0;
    Object.assign(repeated, this.#period());
  }

  #period(): Pick<Repeated, 'since' | 'until'> {
    const since = this.#now();
    return { since, until: since + this.#intervalMs };
  }

  #summarise({ since, heldBackCount, fields, message }: Repeated): void {
    if (heldBackCount === 0) return;
    const seconds = Math.max(1, Math.round((this.#now() - since) / 1000));
    this.#logger.warn(
      { ...fields, repeatedCount: heldBackCount },
      `${message} (${heldBackCount} more in the last ${seconds} s)`,
    );
  }
}
