import type { GivenCommand } from './given-command.ts';

export interface FinishedCommandsOptions {
  readonly maxCount: number;
  readonly maxBytes: number;
  readonly keepMs: number;
  /** Milliseconds that only grow. */
  readonly now: () => number;
}

interface Kept {
  readonly command: GivenCommand;
  readonly bytes: number;
  readonly until: number;
}

/** Commands that are finished, for those who ask later; the oldest go first. */
export class FinishedCommands {
  readonly #options: FinishedCommandsOptions;
  /** By request id, in the order in which they were finished. */
  readonly #kept = new Map<string, Kept>();
  #bytes = 0;

  constructor(options: FinishedCommandsOptions) {
    this.#options = options;
  }

  add(command: GivenCommand): void {
    const { keepMs, now } = this.#options;
    const { bytes } = command;
    this.#kept.set(command.requestId, { command, bytes, until: now() + keepMs });
    this.#bytes += bytes;
    this.#trim();
  }

  get(requestId: string): GivenCommand | undefined {
    this.#trim();
    return this.#kept.get(requestId)?.command;
  }

  of(device: string): readonly GivenCommand[] {
    this.#trim();
    return [...this.#kept.values()].flatMap(({ command }) => (command.device === device ? [command] : []));
  }

  #trim(): void {
    const { maxCount, maxBytes, now } = this.#options;
    for (const [requestId, { bytes, until }] of this.#kept) {
      if (this.#kept.size <= maxCount && this.#bytes <= maxBytes && until > now()) return;
      this.#kept.delete(requestId);
      this.#bytes -= bytes;
    }
  }
}
