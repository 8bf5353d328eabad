import { statfsSync } from 'node:fs';
import type { GapReason } from '../core/gap.ts';
import type { ReadLimit } from '../core/lane-log.ts';
import type { Room } from '../core/ports.ts';
import type { Stream } from '../core/stream.ts';
import { AgeLimit } from './age-limit.ts';
import type { Log } from './log/log.ts';
import type { StoreClock } from './store-clock.ts';

export interface LimitOptions {
  readonly dataDir: string;
  /** Bytes of database and write-ahead log. */
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  /** Bytes that stay free on the file system, whoever fills it. */
  readonly keepFreeBytes: number;
  readonly whenFull: 'drop_oldest' | 'block';
}

/** What `Limits` works with: the options, and what else takes of `maxBytes`. */
export interface LimitSettings extends LimitOptions {
  readonly walBytes: number;
  readonly aside: Aside;
}

/** Damaged files that are kept for people. */
export interface Aside {
  readonly bytes: number;
  remove(): void;
}

/** Reclaim goes on until so much of `maxBytes` is used: large steps, not one record at a time. */
const RECLAIM_TO = 0.95;
/** Beyond `maxBytes` by so much, nothing more is stored, even while a batch in flight holds up reclaim. */
const OVERSHOOT = 1.05;
/** An empty store cannot give anything back; below this the disk is somebody else's. */
const MIN_USED_BYTES = 1024 * 1024;
const GIVE_BACK_STEP_BYTES = 4 * 1024 * 1024;
/** Taken in one transaction: large enough to be cheap, small enough not to hold up acknowledgements. */
const CHUNK_RECORDS = 5_000;
const CHUNK_BYTES = 4 * 1024 * 1024;
/** Acknowledgements wait for so long at most, but for the chunk that is being taken. */
const STEP_MS = 10;

/**
 * Keeps the log within its limits, one bounded piece of work at a time. What is set aside for people goes before any
 * record. While a damaged log is put back nothing goes: records come in any order then, and one below a cursor that a
 * limit moved would never be sent.
 */
export class Limits {
  readonly #log: Log;
  readonly #options: LimitSettings;
  readonly #chunk: ReadLimit;
  readonly #age: AgeLimit;
  #full: string | null = null;
  #holds = false;
  #awaited: Stream | null = null;
  #reclaiming = false;
  #room: Room = { bytes: Number.POSITIVE_INFINITY, capacityBytes: Number.POSITIVE_INFINITY };
  #measuredAt = 0;

  constructor(log: Log, options: LimitSettings, clock: StoreClock) {
    this.#log = log;
    this.#chunk = { maxRecords: CHUNK_RECORDS, maxBytes: Math.min(CHUNK_BYTES, options.maxBytes / 64) };
    this.#options = options;
    this.#age = new AgeLimit(log, { maxAgeMs: options.maxAgeMs, chunk: this.#chunk }, clock);
  }

  /** True while nothing more may be stored: until reclaim has caught up, or for as long as the log is `full`. */
  get holds(): boolean {
    return this.#holds || this.#full !== null;
  }

  /** Why nothing can be stored and nothing can be reclaimed either, or null. */
  get full(): string | null {
    return this.#full;
  }

  /**
   * The stream whose oldest records would be dropped now, were they not in flight, or null. No more of it may be taken
   * in flight meanwhile: a lane that always has the next batch in flight already would never let a limit have its turn.
   */
  get awaited(): Stream | null {
    return this.#awaited;
  }

  /** As of now: what came since it was measured counts as waiting. */
  get room(): Room {
    const { bytes, capacityBytes } = this.#room;
    const since = Math.max(0, this.#log.records.appendedBytes - this.#measuredAt);
    return { bytes: Math.max(0, bytes - since), capacityBytes };
  }

  /** So much new may be stored before `step` must look again. */
  get strideBytes(): number {
    return this.#chunk.maxBytes;
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#options.dataDir);
    return bavail * bsize;
  }

  /** Must run outside a transaction. Returns true when it should be called again soon. */
  step(): boolean {
    const isMore = this.#step();
    this.#measureRoom();
    return isMore;
  }

  #step(): boolean {
    const until = performance.now() + STEP_MS;
    let freed = this.#enforceBytes();
    while (freed && performance.now() < until) freed = this.#enforceBytes();
    freed ||= this.#enforceFreeDisk();
    if (!freed) this.#awaited = this.#wouldDrop() ? this.#log.reclaim.awaited() : null;
    return (!this.#isSalvaging && this.#age.step()) || freed || this.#giveBack();
  }

  #enforceBytes(): boolean {
    const used = this.#log.space.usedBytes();
    const maxBytes = this.#options.maxBytes - this.#options.walBytes;
    if (used + this.#asideBytes() > maxBytes && this.#removeAside()) return true;
    if (used > maxBytes) this.#reclaiming = true;
    if (used <= maxBytes * RECLAIM_TO) this.#reclaiming = false;
    const freed = this.#reclaiming && this.#free('max_bytes');
    const limit = this.#options.whenFull === 'block' ? maxBytes : maxBytes * OVERSHOOT;
    this.#holds = used > limit;
    this.#full =
      used > limit && !freed
        ? `the buffer holds ${used + this.#options.walBytes} bytes, its limit is ${this.#options.maxBytes}`
        : null;
    return freed;
  }

  #enforceFreeDisk(): boolean {
    const free = this.freeBytes();
    if (free >= this.#options.keepFreeBytes) return false;
    // What holds nothing goes first; records only for what is still missing then.
    if (this.#giveBackSome() || this.#removeAside()) return true;
    if (this.#log.space.usedBytes() > MIN_USED_BYTES && this.#free('disk_reserve')) return true;
    this.#full = `the disk has ${free} bytes free, ${this.#options.keepFreeBytes} are to be kept free`;
    return false;
  }

  /** Free pages, to the file system. False when there are none. */
  #giveBackSome(): boolean {
    const spare = this.#log.space.freeBytes();
    if (spare === 0) return false;
    this.#log.space.giveBack(GIVE_BACK_STEP_BYTES);
    this.#log.space.checkpoint('TRUNCATE');
    return this.#log.space.freeBytes() < spare;
  }

  get #isSalvaging(): boolean {
    return this.#log.recovery.isUnfinished;
  }

  /** What can be had by removing it: what is put back is still read from there. */
  #asideBytes(): number {
    return this.#isSalvaging ? 0 : this.#options.aside.bytes;
  }

  #removeAside(): boolean {
    if (this.#asideBytes() === 0) return false;
    this.#options.aside.remove();
    return true;
  }

  /** Whether records have to go, and pending ones may. */
  #wouldDrop(): boolean {
    if (this.#isSalvaging) return false;
    return this.#options.whenFull === 'drop_oldest' && (this.#reclaiming || this.#full !== null);
  }

  #free(reason: GapReason): boolean {
    if (this.#isSalvaging) return false;
    let removed = 0;
    this.#log.transaction(() => {
      removed = this.#log.reclaim.removeDelivered(this.#chunk);
      if (removed === 0 && this.#options.whenFull === 'drop_oldest') {
        removed = this.#log.reclaim.dropPending(reason, this.#chunk);
      }
    });
    return removed > 0;
  }

  #measureRoom(): void {
    const used = this.#log.space.usedBytes();
    const spareBytes = this.#log.space.freeBytes() + this.#asideBytes();
    const diskBytes = this.freeBytes() + spareBytes - this.#options.keepFreeBytes;
    const capacityBytes = Math.max(0, Math.min(this.#options.maxBytes - this.#options.walBytes, used + diskBytes));
    const bytes = capacityBytes - used * this.#log.waitingPart();
    this.#room = { bytes: Math.min(capacityBytes, Math.max(0, bytes)), capacityBytes };
    this.#measuredAt = this.#log.records.appendedBytes;
  }

  /** Free pages are used again by new records; what is far more than they need goes back to the file system. */
  #giveBack(): boolean {
    if (this.#log.space.freeBytes() < this.#options.maxBytes / 8) return false;
    this.#log.space.giveBack(GIVE_BACK_STEP_BYTES);
    return true;
  }
}
