import type { Clock } from '../platform/clock.ts';
import type { Logger } from '../platform/logger.ts';
import type { StoreClient } from '../store/store-client.ts';

export interface GateOptions {
  readonly store: StoreClient;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds. */
  readonly waitForSync: number;
  /** Lets the uplinks forward. */
  readonly open: () => Promise<void>;
  /** Aborted when the gateway stops; without a store it must. */
  readonly stopping: AbortController;
}

/**
 * Forwarding waits for the first time synchronisation, so that records get true times, and for what is put back of a
 * damaged log, so that the oldest go first; storing does not.
 */
export async function openGate(options: GateOptions): Promise<void> {
  const { store, clock, logger, waitForSync, open, stopping } = options;
  const state = await clock.waitForSync(waitForSync, stopping.signal);
  const corrected = correctTimes(options);
  if (clock.isRight()) await corrected;
  const salvaged = await store.salvaged().catch(() => stopping.abort());
  if (stopping.signal.aborted) return;
  if (salvaged) logger.warn({ ...salvaged }, 'what can be read of the damaged log is put back');
  if (state === 'unsynced') logger.warn({}, 'the clock is not synchronised; forwarding begins all the same');
  await open();
}

/** Records from before the first synchronisation get their true times by it, however late it comes. */
async function correctTimes({ store, clock, stopping }: GateOptions): Promise<void> {
  await clock.waitUntilRight(stopping.signal);
  const boot = clock.bootStart();
  if (stopping.signal.aborted || boot === undefined) return;
  // Without a store the process ends.
  await store.noteSync(boot).catch(() => undefined);
}
