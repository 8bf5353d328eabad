/** Waits that always end. */

import { SluiceError } from '../core/errors.ts';

export interface Bounds {
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

/** The code of every error that says: no answer came in time. */
export const TIMED_OUT = 'upstream_timeout';

/** Resolves after the time, or when the signal is aborted. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const wake = (): void => resolve();
  signal.addEventListener('abort', wake, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener('abort', wake);
}

/**
 * The work's own outcome, unless the deadline passes or the signal is aborted first: then a rejection with
 * `upstream_timeout` or `aborted`. The work goes on even so; its outcome is ignored.
 */
export async function bounded<T>(what: string, work: Promise<T>, { deadlineMs, signal }: Bounds): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const expire = (): void => reject(timedOut(`${what} did not end within ${Math.ceil(deadlineMs / 1000)} s`));
  const abort = (): void => reject(new SluiceError(`${what} was given up`, { code: 'aborted', retryable: true }));
  const timer = setTimeout(expire, Math.max(deadlineMs, 0));
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', abort);
    work.catch(() => undefined);
  }
}

/** Several steps within one deadline. Each is bounded by itself: none may follow when one was given up. */
export class BoundedSteps {
  readonly #until: number;
  readonly #signal: AbortSignal;

  constructor({ deadlineMs, signal }: Bounds) {
    this.#until = performance.now() + deadlineMs;
    this.#signal = signal;
  }

  /** What is left of the time. */
  get left(): Bounds {
    return { deadlineMs: this.#until - performance.now(), signal: this.#signal };
  }

  /** As `bounded`. */
  step<T>(what: string, work: Promise<T>): Promise<T> {
    return bounded(what, work, this.left);
  }
}

function timedOut(message: string): SluiceError {
  return new SluiceError(message, { code: TIMED_OUT, retryable: true });
}

/** The same promise, which may be awaited late: a rejection in the meantime is not unhandled. */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
