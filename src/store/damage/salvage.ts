import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import type { GroupCommit } from '../group-commit.ts';
import type { Log } from '../log/log.ts';
import { type FoundRecord, LeafScan } from './leaf-scan.ts';
import { Pages } from './pages.ts';
import { setAsideName } from './set-aside.ts';

/** Put back in one transaction. */
const STEP_PAGES = 256;

export interface SalvageOptions {
  readonly log: Log;
  /** The log; beside it stands the damaged one. */
  readonly file: string;
  readonly roots: Readonly<Partial<Record<Stream, Seq>>>;
  /** Everything is put back, and what is missing was reported. */
  readonly onEnd: () => void;
}

/**
 * Puts back what can be read of a damaged log and was not delivered, step by step beside everything else. Lanes wait for
 * its end, so that order is kept: what is put back has older seqs than all that is new. Begun anew after a kill, it finds
 * what is there already.
 */
export class Salvage {
  readonly #options: SalvageOptions;
  readonly #pages: Pages;
  readonly #scan: LeafScan;
  readonly #waiting: (() => void)[] = [];
  #isEnded = false;

  constructor(options: SalvageOptions) {
    this.#options = options;
    this.#pages = new Pages(setAsideName(options.file));
    this.#scan = new LeafScan(this.#pages, options.roots);
  }

  start(commits: GroupCommit): void {
    if (this.#isEnded) return;
    const found = this.#scan.step(STEP_PAGES);
    const { isDone } = this.#scan;
    commits.submit({
      // It was accepted long ago; and while it waits nothing is delivered, so that no room is made either.
      grows: false,
      apply: () => this.#putBack(found, isDone),
      done: () => {
        if (isDone) this.#end();
        else this.start(commits);
      },
      // Not thrown by anything in here; the rest is tried all the same.
      failed: () => this.start(commits),
    });
  }

  /** Called at once when it has ended. */
  whenEnded(work: () => void): void {
    if (this.#isEnded) work();
    else this.#waiting.push(work);
  }

  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#pages.close();
  }

  #putBack(found: readonly FoundRecord[], isDone: boolean): void {
    const { recovery } = this.#options.log;
    for (const record of found) recovery.putBack(record);
    if (isDone) recovery.finish();
  }

  #end(): void {
    this.close();
    this.#options.onEnd();
    for (const work of this.#waiting.splice(0)) work();
  }
}
