import { messageOf } from '../../core/errors.ts';
import type { Salvaged } from '../../core/log-stats.ts';
import type { Seq } from '../../core/record.ts';
import type { Stream } from '../../core/stream.ts';
import { isAnswering, isUnread, PATIENCE_MS } from '../disk-reads.ts';
import type { GroupCommit } from '../group-commit.ts';
import type { Log } from '../log/log.ts';
import type { FoundRecord } from '../log/recovery.ts';
import { LeafScan } from './leaf-scan.ts';
import { Pages } from './pages.ts';
import { removeSetAside, setAsideName } from './set-aside.ts';

/** Put back in one transaction. */
const STEP_PAGES = 256;
/** For pages that the disk does not give. */
const RETRY_MS = 500;
const NOTHING_LOST: Omit<Salvaged, 'putBackCount'> = { lostCount: 0, moreMayBeLost: false };
/** So long the disk counts as answering. */
const PROOF_MS = 100;

export interface SalvageOptions {
  readonly log: Log;
  /** The log; beside it stands the damaged one. */
  readonly file: string;
  readonly roots: Readonly<Partial<Record<Stream, Seq>>>;
  /** False when the disk holds no more, and what is not put back yet has to be given up. */
  readonly hasRoom: () => boolean;
}

/**
 * Puts back what can be read of a damaged log and was not delivered, step by step beside everything else. Lanes wait for
 * its end, so that order is kept: what is put back has older seqs than all that is new. Begun anew after a kill, it finds
 * what is there already.
 */
export class Salvage {
  readonly #options: SalvageOptions;
  #pages: Pages | undefined;
  #scan: LeafScan | undefined;
  /** For what the disk does not give, all in all. */
  #waitedMs = 0;
  /** What it says instead of the next pages; null while it gives them. */
  #stuck: string | null = null;
  #provedAt = Number.NEGATIVE_INFINITY;
  #retry: NodeJS.Timeout | undefined;
  readonly #waiting: ((salvaged: Salvaged) => void)[] = [];
  #isEnded = false;
  #salvaged: Salvaged = { putBackCount: 0, lostCount: 0, moreMayBeLost: false };

  constructor(options: SalvageOptions) {
    this.#options = options;
  }

  /** Null when it has ended. */
  get progress(): number | null {
    return this.#isEnded ? null : (this.#scan?.progress ?? 0);
  }

  /** Why nothing is put back now, or null. */
  get stuck(): string | null {
    return this.#stuck;
  }

  start(commits: GroupCommit): void {
    const { file, roots } = this.#options;
    this.#pages = this.#read(
      () => new Pages(setAsideName(file), (unread) => this.#isGivenUp(unread)),
      () => this.start(commits),
    );
    if (this.#pages === undefined) return;
    this.#scan = new LeafScan(this.#pages, roots);
    this.#step(this.#scan, commits);
  }

  /** Called at once when it has ended. */
  whenEnded(work: (salvaged: Salvaged) => void): void {
    if (this.#isEnded) work(this.#salvaged);
    else this.#waiting.push(work);
  }

  close(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    clearTimeout(this.#retry);
    this.#pages?.close();
  }

  #step(scan: LeafScan, commits: GroupCommit): void {
    if (this.#isEnded) return;
    const hasRoom = this.#options.hasRoom();
    const again = () => this.#step(scan, commits);
    const found = hasRoom ? this.#read(() => scan.step(STEP_PAGES), again) : [];
    if (found === undefined) return;
    const isLast = scan.isDone || !hasRoom;
    let putBackCount = 0;
    let lost = NOTHING_LOST;
    commits.submit({
      // While it waits nothing is delivered, so that no room is made either.
      grows: 'put_back',
      apply: () => {
        // Tried again after a rollback, so that it must not add up yet.
        putBackCount = this.#putBack(found);
        lost = isLast ? this.#options.log.recovery.finish() : NOTHING_LOST;
      },
      done: () => {
        this.#salvaged = { ...lost, putBackCount: this.#salvaged.putBackCount + putBackCount };
        if (isLast) this.#end(hasRoom);
        else this.#step(scan, commits);
      },
      // Not thrown by anything in here; the rest is tried all the same.
      failed: () => this.#step(scan, commits),
    });
  }

  /** undefined when the disk does not give it now: then `again` is called later. */
  #read<T>(read: () => T, again: () => void): T | undefined {
    try {
      const found = read();
      this.#stuck = null;
      return found;
    } catch (error) {
      if (!isUnread(error)) throw error;
      this.#stuck = messageOf(error);
      this.#waitedMs += RETRY_MS;
      this.#retry = setTimeout(again, RETRY_MS);
      return undefined;
    }
  }

  /** Never while the disk fails as a whole, or the whole file cannot be read: that may pass. */
  #isGivenUp(file: string): boolean {
    if (this.#waitedMs < PATIENCE_MS) return false;
    if (performance.now() - this.#provedAt < PROOF_MS) return true;
    if (!isAnswering(file)) return false;
    this.#provedAt = performance.now();
    return true;
  }

  #putBack(found: readonly FoundRecord[]): number {
    const { recovery } = this.#options.log;
    return found.toSorted((a, b) => a.seq - b.seq).filter((record) => recovery.putBack(record)).length;
  }

  #end(hasRoom: boolean): void {
    this.close();
    if (!hasRoom) removeSetAside(this.#options.file);
    for (const work of this.#waiting.splice(0)) work(this.#salvaged);
  }
}
