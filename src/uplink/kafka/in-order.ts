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
export async function sendInOrder(options: InOrderOptions): Promise<InOrderResult> {
  const rejects: Reject[] = [];
  let { maxBytes } = options;
  let at = 0;
  /** A record in [at, suspectEnd) is refused. */
  let suspectEnd = 0;
  let inRow = 0;
  let isAgain = false;
  const result = (error: SluiceError | null): InOrderResult => ({ doneCount: at, rejects, error, maxBytes });
  const reject = (reason: string, detail: string): void => {
    rejects.push({ index: at, reason, detail });
    at += 1;
    suspectEnd = at;
    inRow += 1;
    isAgain = false;
  };

  while (at < options.sizes.length) {
    const half = at + Math.ceil((suspectEnd - at) / 2);
    const end = Math.min(requestEnd(options.sizes, at, maxBytes), at < suspectEnd ? half : Number.POSITIVE_INFINITY);
    const verdict = await options.attempt(at, end);
    if (verdict.kind === 'failure') return result(verdict.error);
    if (verdict.kind === 'delivered') {
      at = end;
      inRow = 0;
      isAgain = false;
    } else if (end - at > 1) {
      if (verdict.kind === 'poison') suspectEnd = end;
      else maxBytes = Math.ceil(sum(options.sizes, at, end) / 2);
    } else if (verdict.kind === 'poison' && !verdict.isCertain && !isAgain) {
      isAgain = true;
    } else {
      // The large one alone may be what lowered the limit.
      if (verdict.kind === 'too_large') maxBytes = options.maxBytes;
      reject(verdict.kind === 'poison' ? verdict.reason : 'message_too_large', verdict.detail);
      if (inRow > MAX_REJECTS_IN_ROW) return result(tooManyRejects(verdict.detail));
    }
  }
  return result(null);
}

function requestEnd(sizes: readonly number[], from: number, maxBytes: number): number {
  let bytes = sizes[from] ?? 0;
  let end = from + 1;
  for (; end < sizes.length; end += 1) {
    bytes += sizes[end] ?? 0;
    if (bytes > maxBytes) break;
  }
  return end;
}

function sum(sizes: readonly number[], from: number, to: number): number {
  let total = 0;
  for (let index = from; index < to; index += 1) total += sizes[index] ?? 0;
  return total;
}
