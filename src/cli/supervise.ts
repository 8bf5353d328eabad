import type { EventEmitter } from 'node:events';
import type { Logger } from '../platform/logger.ts';
import { EXIT } from './command.ts';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** The running whole, as its process sees it. */
export interface Supervised {
  /** @throws when it cannot start */
  start(): Promise<void>;
  /** In the order of the data; safe when `start` failed or has not ended. */
  stop(): Promise<void>;
  /** Resolves when something happened that only a new process can mend. */
  readonly failed: Promise<Error>;
}

export interface SuperviseOptions {
  /** Emits `SIGTERM` and `SIGINT`. */
  readonly signals: EventEmitter;
  readonly log: Logger;
  /** Ends the process now. */
  readonly exit: (code: number) => void;
  readonly stopDeadlineMs: number;
}

/**
 * Runs it until a signal comes or it fails, then stops it, and resolves with the exit code. A second signal ends the
 * process at once: what was acknowledged is on disk at every moment.
 * @throws what `start` threw, after stopping what had started
 */
export async function supervise(gateway: Supervised, options: SuperviseOptions): Promise<number> {
  let code: number = EXIT.done;
  const failed = gateway.failed.then((error) => {
    code = EXIT.failed;
    options.log.error({ error }, 'the gateway failed');
  });
  const signals = listen(options);
  try {
    const started = gateway.start().catch((error: unknown) => {
      options.log.error({ error }, 'the gateway cannot start');
      throw error;
    });
    await Promise.race([started.then(() => Promise.race([failed, signals.first])), failed, signals.first]);
  } finally {
    await stop(gateway, options);
    signals.ignore();
  }
  return code;
}

function listen({ signals, log, exit }: SuperviseOptions): { readonly first: Promise<void>; ignore(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  let count = 0;
  const onSignal = (signal: string): void => {
    count += 1;
    if (count > 1) exit(EXIT.failed);
    else log.info({ signal }, 'stopping');
    resolve();
  };
  const ignore = (): void => {
    for (const name of SIGNALS) signals.off(name, onSignal);
  };
  for (const name of SIGNALS) signals.on(name, onSignal);
  return { first: promise, ignore };
}

async function stop(gateway: Supervised, { log, exit, stopDeadlineMs }: SuperviseOptions): Promise<void> {
  const timer = setTimeout(() => {
    log.error({ stopDeadlineMs }, 'stopping took too long');
    exit(EXIT.failed);
  }, stopDeadlineMs);
  await gateway.stop();
  clearTimeout(timer);
}
