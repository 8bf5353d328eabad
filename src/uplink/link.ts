import { messageOf, SluiceError } from '../core/errors.ts';
import type { Upstream } from '../core/upstream.ts';
import type { Backoff } from './backoff.ts';
import { pause } from './bounded.ts';
import type { StatusBoard } from './status-board.ts';

export interface LinkOptions {
  readonly upstream: Upstream;
  readonly backoff: Backoff;
  readonly board: StatusBoard;
  /** Nothing new is begun once it is aborted. */
  readonly ending: AbortSignal;
}

/** The way to the upstream that all lanes of an uplink share: however many ask, one attempt to open is made. */
export class Link {
  readonly #options: LinkOptions;
  #opening: Promise<boolean> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  /** Resolves with true once the upstream is open; tries for ever. False when ending. Never rejects. */
  ready(): Promise<boolean> {
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  async #open(): Promise<boolean> {
    const { upstream, backoff, board, ending } = this.#options;
    while (!ending.aborted) {
      try {
        await upstream.open(ending);
        if (ending.aborted) return false;
        backoff.reset();
        board.enter('open');
        return true;
      } catch (cause) {
        if (ending.aborted) return false;
        const error = asSluiceError(cause);
        const delayMs = error.retryable ? backoff.next() : backoff.longest();
        board.linkFailed(error, delayMs);
        await pause(delayMs, ending);
      }
    }
    return false;
  }
}

/** What nobody expected is tried again too: giving up would lose the rest. */
export function asSluiceError(cause: unknown): SluiceError {
  if (cause instanceof SluiceError) return cause;
  return new SluiceError(messageOf(cause), { code: 'unexpected', retryable: true, cause });
}
