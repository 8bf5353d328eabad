import { SluiceError } from '../core/errors.ts';
import type { Room } from '../core/ports.ts';
import type { Stream } from '../core/stream.ts';
import type { Limits } from './limits.ts';
import type { Log } from './log/log.ts';
import type { Outage } from './outage.ts';

/** One piece of work for the next transaction. */
export interface Work {
  /**
   * Set for what grows the log: it waits, in its order, while nothing can be stored. What is put back was accepted before:
   * no limit holds it, only a disk.
   */
  readonly grows: boolean | 'put_back';
  /** Set for what takes records of the stream in flight: it waits while a limit waits for its turn there. */
  readonly claims?: Stream;
  /** Runs inside the transaction. A SluiceError thrown before the first write concerns this piece alone. */
  apply(): void;
  /** Called when what `apply` did is on disk. */
  done(): void;
  failed(error: SluiceError): void;
}

export interface GroupCommitOptions {
  /** Least time between two commits; 0 commits what is there at once. */
  readonly commitIntervalMs: number;
  readonly outage: Outage;
  /** After every commit that stored something, with its duration; gaps that a limit reports included. */
  readonly onCommit: (durationMs: number) => void;
}

const LIMITS_CHECK_MS = 100;

/**
 * Everything that waits is committed together: one fsync serves all. No linger unless one is configured, because a
 * lone stop-and-wait sender would pay for it with every message.
 */
export class GroupCommit {
  readonly #log: Log;
  readonly #limits: Limits;
  readonly #options: GroupCommitOptions;
  #queue: Work[] = [];
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #intervalMs: number;
  #closed = false;
  #committedAt = Number.NEGATIVE_INFINITY;
  #limitsDueAt = 0;
  #checkedBytes = 0;

  constructor(log: Log, limits: Limits, options: GroupCommitOptions) {
    this.#log = log;
    this.#limits = limits;
    this.#options = options;
    this.#intervalMs = options.commitIntervalMs;
  }

  /** Why nothing can be stored now, or null. */
  get full(): string | null {
    return this.#options.outage.reason ?? this.#limits.full;
  }

  get room(): Room {
    return this.#limits.room;
  }

  /** True while a limit waits for its turn at the stream. */
  isAwaited(stream: Stream): boolean {
    return this.#limits.awaited === stream;
  }

  submit(work: Work): void {
    this.#queue.push(work);
    this.#schedule(Math.max(0, this.#committedAt + this.#intervalMs - performance.now()));
  }

  /** From now on nothing waits for an interval. */
  hurry(): void {
    this.#intervalMs = 0;
    if (this.#timer === undefined) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#scheduled = false;
    this.#schedule(0);
  }

  /** Commits what waits and can be stored, and then nothing more. */
  close(): void {
    this.#commit();
    this.#closed = true;
  }

  /** To be called now and then, also when nothing is submitted: time and other programs fill the disk too. */
  tick(): void {
    this.#limitsDueAt = 0;
    this.#schedule(0);
  }

  #schedule(delayMs: number): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const run = () => {
      this.#scheduled = false;
      this.#timer = undefined;
      if (this.#closed) return;
      this.#commit();
      this.#keepLimits();
    };
    if (delayMs > 0) this.#timer = setTimeout(run, delayMs);
    else setImmediate(run);
  }

  #commit(): void {
    const { outage } = this.#options;
    if (outage.isTotal) return;
    const { awaited, holds } = this.#limits;
    const isHeld = ({ grows }: Work) => (grows && outage.reason !== null) || (grows === true && holds);
    const waits = (work: Work) => isHeld(work) || (work.claims !== undefined && work.claims === awaited);
    const batch = this.#queue.filter((work) => !waits(work));
    if (batch.length === 0) return;
    this.#queue = this.#queue.filter(waits);
    const failures = new Map<Work, SluiceError>();
    const startedAt = performance.now();
    try {
      this.#log.transaction(() => {
        for (const work of batch) applyAlone(work, failures);
      });
    } catch (error) {
      outage.begin(error);
      // Nothing of it is on disk, or at least not there to stay.
      this.#queue = [...batch, ...this.#queue];
      return;
    }
    outage.worked();
    this.#committedAt = performance.now();
    for (const work of batch) {
      const failure = failures.get(work);
      if (failure === undefined) work.done();
      else work.failed(failure);
    }
    this.#options.onCommit(performance.now() - startedAt);
  }

  #keepLimits(): void {
    const { appendedBytes } = this.#log.records;
    const grown = appendedBytes - this.#checkedBytes >= this.#limits.strideBytes;
    const { holds, awaited } = this.#limits;
    const isDue = grown || awaited !== null || performance.now() >= this.#limitsDueAt;
    if (this.#options.outage.isTotal || !isDue) return;
    this.#checkedBytes = appendedBytes;
    const more = this.#stepLimits();
    this.#limitsDueAt = more ? 0 : performance.now() + LIMITS_CHECK_MS;
    const isLetGo = (holds && !this.#limits.holds) || this.#limits.awaited !== awaited;
    if (more || (isLetGo && this.#queue.length > 0)) this.#schedule(0);
  }

  /** Reclaim writes before it frees, so a full disk stops it too. */
  #stepLimits(): boolean {
    const { appendedBytes } = this.#log.records;
    const startedAt = performance.now();
    try {
      const more = this.#limits.step();
      if (this.#log.records.appendedBytes > appendedBytes) this.#options.onCommit(performance.now() - startedAt);
      return more;
    } catch (error) {
      this.#options.outage.begin(error);
      return false;
    }
  }
}

function applyAlone(work: Work, failures: Map<Work, SluiceError>): void {
  try {
    work.apply();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    failures.set(work, error);
  }
}
