import type { Logger } from '../platform/logger.ts';

/**
 * The order of the data: what was accepted is settled before what it needs is gone. With each part, by when it is given
 * up, in milliseconds since the stop began: whatever one of them waits for, the store has the last second of the ten.
 */
const STOP_ORDER = [
  ['commits', 500],
  ['commands', 500],
  ['serial', 2_000],
  ['mqtt', 4_000],
  ['ingest', 4_500],
  ['uplinks', 6_000],
  ['api', 7_000],
  ['reader', 7_500],
  ['stats', 7_500],
  ['devices', 9_000],
  ['store', 10_000],
] as const;

export type PartName = (typeof STOP_ORDER)[number][0];

/** `limitMs`: what is left until the part is given up. */
export type StopPart = (limitMs: number) => Promise<void> | void;

/** What runs, and how it is stopped. */
export class RunningParts {
  readonly #logger: Logger;
  readonly #parts = new Map<PartName, StopPart>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(part: PartName, stop: StopPart): void {
    this.#parts.set(part, stop);
  }

  /** Stops all in order, each by its time. Never rejects. */
  async stop(): Promise<void> {
    const startedAt = performance.now();
    for (const [part, endsAtMs] of STOP_ORDER) {
      const stop = this.#parts.get(part);
      if (stop === undefined) continue;
      try {
        const isStopped = await stoppedWithin(stop, Math.max(startedAt + endsAtMs - performance.now(), 0));
        if (!isStopped) this.#logger.error({ part }, 'a part did not stop in its time and is left behind');
      } catch (error) {
        this.#logger.error({ part, error }, 'a part could not be stopped in order');
      }
    }
  }
}

async function stoppedWithin(stop: StopPart, limitMs: number): Promise<boolean> {
  const { promise: expired, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), limitMs);
  try {
    return await Promise.race([Promise.resolve(stop(limitMs)).then(() => true), expired]);
  } finally {
    clearTimeout(timer);
  }
}
