import type { Message } from '../core/ports.ts';
import { printable } from '../core/printable.ts';
import type { RefusedCount } from '../core/views.ts';
import type { RepeatSummary } from '../platform/repeat-summary.ts';

/** Refused messages since the start, by source and reason; both are words of the code, so there are few. */
export class RefusedCounts {
  readonly #repeats: RepeatSummary;
  readonly #counts = new Map<string, RefusedCount>();

  constructor(repeats: RepeatSummary) {
    this.#repeats = repeats;
  }

  add({ source, channel }: Message, reason: string): void {
    const key = `${source}/${reason}`;
    const count = (this.#counts.get(key)?.count ?? 0) + 1;
    this.#counts.set(key, { source, reason, count });
    this.#repeats.warn(key, { source, reason, channel: printable(channel) }, 'a message was refused');
  }

  list(): readonly RefusedCount[] {
    return [...this.#counts.values()];
  }
}
