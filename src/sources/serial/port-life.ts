import type { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../../core/errors.ts';
import { nodeAt } from './device-node.ts';
import { openError } from './open-error.ts';
import type { OpenPort, PortToOpen } from './open-port.ts';
import type { PortOptions } from './options.ts';

/** Why a port that was open is not any more. */
export type PortEnd = 'gone' | 'silent' | 'stopped';

export type PortState =
  | { readonly kind: 'absent' }
  | { readonly kind: 'refused'; readonly error: SluiceError }
  | { readonly kind: 'open' }
  | { readonly kind: 'closed'; readonly end: PortEnd };

/** Who listens to a port from when it is opened until it is closed. */
export interface PortListener {
  /** The bytes are only lent. What it returns is waited for before more is read. */
  take(bytes: Buffer): Promise<void> | undefined;
  closed(): void;
}

export interface PortLifeParts {
  readonly options: Pick<PortOptions, 'silenceTimeout'> & PortToOpen;
  readonly open: (port: PortToOpen) => Promise<OpenPort>;
  readonly listen: (port: OpenPort) => PortListener;
  /** Only what is another one than before. */
  readonly onState: (state: PortState) => void;
  /** How often it is looked at; `LOOK_MS` when left out. */
  readonly lookMs?: number;
}

/** A port is opened within twice this when it appears, and a dead one that says nothing is noticed. */
const LOOK_MS = 500;

/**
 * One port from start to stop: opened whenever it is there, as often as it comes. The operating system does not tell of
 * an idle port that was pulled, so its device node is looked at as well.
 */
export class PortLife {
  readonly #parts: PortLifeParts;
  readonly #lookMs: number;
  #told = '';

  constructor(parts: PortLifeParts) {
    this.#parts = parts;
    this.#lookMs = parts.lookMs ?? LOOK_MS;
  }

  /** Resolves when the signal is aborted and the port closed. Never rejects. */
  async run(ending: AbortSignal): Promise<void> {
    while (!ending.aborted) {
      const nextLookAt = performance.now() + this.#lookMs;
      const port = await this.#opened();
      if (port !== undefined) this.#tell({ kind: 'closed', end: await this.#serve(port, ending) });
      // One that opens and is gone at once is no more looked for than one that is not there.
      await pause(Math.max(0, nextLookAt - performance.now()), ending);
    }
  }

  async #opened(): Promise<{ readonly port: OpenPort; readonly node: string } | undefined> {
    const { options, open } = this.#parts;
    try {
      const node = await nodeAt(options.path);
      if (node === undefined) {
        this.#tell({ kind: 'absent' });
        return undefined;
      }
      const port = await open(options);
      this.#tell({ kind: 'open' });
      return { port, node };
    } catch (cause) {
      const error = cause instanceof SluiceError ? cause : await openError(options.path, cause);
      this.#tell({ kind: 'refused', error });
      return undefined;
    }
  }

  async #serve({ port, node }: { port: OpenPort; node: string }, ending: AbortSignal): Promise<PortEnd> {
    const { options, listen } = this.#parts;
    const listener = listen(port);
    const gone = new AbortController();
    const over = AbortSignal.any([ending, gone.signal]);
    let silentSince = performance.now();
    const reading = port.read(async (bytes) => {
      // Nobody knows what the device says while nothing is read.
      silentSince = Number.POSITIVE_INFINITY;
      await listener.take(bytes);
      silentSince = performance.now();
    });
    void reading.then(() => gone.abort());
    try {
      for (;;) {
        await pause(this.#lookMs, over);
        if (ending.aborted) return 'stopped';
        if (gone.signal.aborted || (await nodeAt(options.path).catch(() => undefined)) !== node) return 'gone';
        const isSilent = options.silenceTimeout > 0 && performance.now() - silentSince >= options.silenceTimeout;
        if (isSilent) return 'silent';
      }
    } finally {
      await port.close();
      listener.closed();
    }
  }

  #tell(state: PortState): void {
    const key = state.kind === 'refused' ? `refused ${state.error.message}` : state.kind;
    if (key === this.#told) return;
    this.#told = key;
    this.#parts.onState(state);
  }
}

async function pause(ms: number, over: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal: over }).catch(() => undefined);
}
