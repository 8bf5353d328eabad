import { setTimeout as delay } from 'node:timers/promises';

export interface WaitOptions {
  /** Said in the error when the deadline passes; a function is asked then. */
  readonly what: string | (() => string);
  readonly timeoutMs: number;
  readonly everyMs?: number;
}

/**
 * The first value of `probe` that is neither undefined nor false. A probe that throws counts as "not yet".
 * @throws Error that names `what`, with the last error of the probe as its cause, at the deadline.
 */
export async function waitFor<T>(
  probe: () => Promise<T> | T,
  options: WaitOptions,
): Promise<Exclude<T, undefined | false>> {
  const deadline = performance.now() + options.timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value as Exclude<T, undefined | false>;
    } catch (error) {
      cause = error;
    }
    if (performance.now() > deadline) throw new Error(`waited ${options.timeoutMs} ms for ${said(options)}`, { cause });
    await delay(options.everyMs ?? 20);
  }
}

function said({ what }: WaitOptions): string {
  return typeof what === 'string' ? what : what();
}
