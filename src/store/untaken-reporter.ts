import type { GroupCommit } from './group-commit.ts';
import type { Log } from './log/log.ts';
import type { StoreClock } from './store-clock.ts';

/** What a device loses meanwhile is one gap. */
const REPORT_MS = 10_000;

/** Has what was not taken reported in gaps, at once after a quiet time and then every ten seconds. */
export class UntakenReporter {
  readonly #log: Log;
  readonly #clock: StoreClock;
  #dueAt = Number.NEGATIVE_INFINITY;

  constructor(log: Log, clock: StoreClock) {
    this.#log = log;
    this.#clock = clock;
  }

  step(commits: GroupCommit): void {
    const { untaken } = this.#log;
    if (untaken.isEmpty || this.#clock.elapsed() < this.#dueAt) return;
    this.#dueAt = this.#clock.elapsed() + REPORT_MS;
    commits.submit({
      // Little, and it must not wait behind what is kept out.
      grows: false,
      apply: () => this.#log.reportUntaken(),
      done: () => undefined,
      failed: () => undefined,
    });
  }
}
