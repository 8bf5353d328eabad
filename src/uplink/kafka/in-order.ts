import type { SluiceError } from '../../core/errors.ts';
import { MAX_REJECTS_IN_ROW, tooManyRejects } from '../reject-guard.ts';

/** What became of the messages `[from, to)` that were sent in one request. */
export type Verdict =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'too_large'; readonly detail: string }
  | { readonly kind: 'poison'; readonly reason: string; readonly detail: string; readonly isCertain: boolean }
  | { readonly kind: 'failure'; readonly error: SluiceError };

export interface InOrderOptions {
  /** Bytes of each message. */
  readonly sizes: readonly number[];
  /** Bytes of one request; a larger message goes alone. */
  readonly maxBytes: number;
  /** Nothing is sent behind the first reject. */
  readonly endsAtReject?: boolean;
  readonly attempt: (from: number, to: number) => Promise<Verdict>;
}

export interface Reject {
  readonly index: number;
  readonly reason: string;
  readonly detail: string;
}

export interface InOrderResult {
  /** Messages before this index are delivered or in `rejects`. */
  readonly doneCount: number;
  readonly rejects: readonly Reject[];
  /** Why the rest stays; null when there is none. */
  readonly error: SluiceError | null;
  /** What fits into one request, as far as is known. */
  readonly maxBytes: number;
}

/**
 * Sends all messages in their order, one request after the other. A request that is refused because of a record in it
 * is halved until that record stands alone; the limit of bytes is on the request, so it is halved as well. No
 * message is sent before all earlier ones are delivered or rejected.
 */
export function sendInOrder(options: InOrderOptions): Promise<InOrderResult> {
  return new OrderedSend(options).run();
}

class OrderedSend {
  readonly #options: InOrderOptions;
  readonly #rejects: Reject[] = [];
  #maxBytes: number;
  /** Everything before it is done. */
  #at = 0;
  /** A record in [at, suspectEnd) is refused. */
  #suspectEnd = 0;
  #rejectsInRow = 0;
  #wasCorrupt = false;

  constructor(options: InOrderOptions) {
    this.#options = options;
    this.#maxBytes = options.maxBytes;
  }

  async run(): Promise<InOrderResult> {
    let error: SluiceError | null = null;
    while (error === null && !this.#isEnd()) {
      const end = this.#requestEnd();
      error = this.#note(await this.#options.attempt(this.#at, end), end);
    }
    return { doneCount: this.#at, rejects: this.#rejects, error, maxBytes: this.#maxBytes };
  }

  #isEnd(): boolean {
    const { sizes, endsAtReject = false } = this.#options;
    return this.#at >= sizes.length || (endsAtReject && this.#rejects.length > 0);
  }

  /** Why nothing more is to be sent, or null. */
  #note(verdict: Verdict, end: number): SluiceError | null {
    const isAlone = end - this.#at === 1;
    switch (verdict.kind) {
      case 'failure':
        return verdict.error;
      case 'delivered':
        this.#at = end;
        this.#rejectsInRow = 0;
        this.#wasCorrupt = false;
        return null;
      case 'too_large':
        // The large one alone may be what lowered the limit.
        this.#maxBytes = isAlone ? this.#options.maxBytes : Math.ceil(sum(this.#options.sizes, this.#at, end) / 2);
        return isAlone ? this.#reject('message_too_large', verdict.detail) : null;
      case 'poison':
        if (isAlone && (verdict.isCertain || this.#wasCorrupt)) return this.#reject(verdict.reason, verdict.detail);
        this.#wasCorrupt = isAlone;
        this.#suspectEnd = end;
        return null;
    }
  }

  #reject(reason: string, detail: string): SluiceError | null {
    this.#rejects.push({ index: this.#at, reason, detail });
    this.#at += 1;
    this.#suspectEnd = this.#at;
    this.#wasCorrupt = false;
    this.#rejectsInRow += 1;
    return this.#rejectsInRow > MAX_REJECTS_IN_ROW ? tooManyRejects(detail) : null;
  }

  /** As many as fit; of suspects a half. */
  #requestEnd(): number {
    const { sizes } = this.#options;
    const isSuspect = this.#at < this.#suspectEnd;
    const most = isSuspect ? this.#at + Math.ceil((this.#suspectEnd - this.#at) / 2) : sizes.length;
    let bytes = sizes[this.#at] ?? 0;
    let end = this.#at + 1;
    for (; end < most; end += 1) {
      bytes += sizes[end] ?? 0;
      if (bytes > this.#maxBytes) break;
    }
    return end;
  }
}

function sum(sizes: readonly number[], from: number, to: number): number {
  let total = 0;
  for (let index = from; index < to; index += 1) total += sizes[index] ?? 0;
  return total;
}
