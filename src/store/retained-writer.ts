import type { GroupCommit } from './group-commit.ts';
import type { Log } from './log/log.ts';
import type { State } from './state/state.ts';

/** Moved in one piece of work: small enough not to hold up acknowledgements. */
const PAGE = 1_000;

/**
 * Carries retained messages from `log.db`, where each is stored together with its record, over to `state.db`, where
 * only the newest of each topic stands: one small write for all of a second. A kill in between costs nothing, because
 * what is carried over twice stays the same.
 */
export class RetainedWriter {
  readonly #log: Log;
  readonly #state: State;
  #isBusy = false;

  constructor(log: Log, state: State) {
    this.#log = log;
    this.#state = state;
  }

  /** At the start, and when a damaged log is put back, while no page is on its way: all of it. */
  catchUp(): void {
    for (let upTo = this.#carryPage(); upTo > 0; upTo = this.#carryPage()) {
      this.#log.transaction(() => this.#log.queues.settleFresh(upTo));
    }
  }

  /** Page after page, each with a commit in between, until nothing is left. */
  step(commits: GroupCommit): void {
    if (this.#isBusy) return;
    const upTo = this.#carryPage();
    if (upTo === 0) return;
    this.#isBusy = true;
    const settled = () => {
      this.#isBusy = false;
      this.step(commits);
    };
    commits.submit({
      grows: false,
      apply: () => this.#log.queues.settleFresh(upTo),
      done: settled,
      failed: settled,
    });
  }

  /** The last place that `state.db` has now, or 0 when there was nothing to carry. */
  #carryPage(): number {
    // Records that are not put back yet would pass for lost ones.
    if (this.#log.recovery.isUnfinished) return 0;
    const { messages, upTo } = this.#log.queues.fresh(PAGE);
    if (upTo > 0) this.#state.sessions.retain(messages);
    return upTo;
  }
}
