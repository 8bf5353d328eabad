import type { Room } from '../core/ports.ts';

export interface ShareOptions {
  /** The part of the buffer, 0 to 1, that may be taken by what waits before shares count; with 1 they never do. */
  readonly highWater: number;
  readonly windowMs: number;
  /** So long after a device was heard last records of it may be there. */
  readonly keptMs: number;
  /** False: a device over its share is slowed, but never refused. */
  readonly refuses: boolean;
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed?: () => number;
}

/** `waitMs`: until the device would be within its share again. */
export type ShareVerdict =
  | { readonly kind: 'within' }
  | { readonly kind: 'over'; readonly waitMs: number }
  | { readonly kind: 'refused'; readonly waitMs: number };

/** What a device sent counts less and less: after each window by a factor of e. */
interface Level {
  bytes: number;
  /** When that was so. */
  at: number;
}

/** How often the average of the others a device may send, and how often its share before it is refused. */
const TIMES_OTHERS = 2;
const TIMES_SHARE = 2;
/** What is left of the buffer is to last for so long, when all devices take equal parts of it. */
const HORIZON_MS = 24 * 3_600_000;
/** Of the last day, and silent ones besides; those that were silent for longest are forgotten first. */
const MAX_DEVICES = 10_000;
/** Who was heard last is known so exactly. */
const ORDER_MS = 1_000;
const FORGET_EVERY_MS = 60_000;
const WITHIN: ShareVerdict = { kind: 'within' };

/**
 * Who may still store while the buffer runs full. A device's share is twice what the others sent on average within the
 * window, and at least an equal part of what is left, spread over a day; the only device has it all. One that was silent
 * for a day counts no more than that: it is somebody else, whose records may be there. So what all
 * store together shrinks as the buffer fills, and is what the quiet ones need.
 */
export class Shares {
  readonly #options: ShareOptions;
  readonly #elapsed: () => number;
  /** In the order in which they were heard last. */
  readonly #levels = new Map<string, Level>();
  /** When those were heard last that were silent for a day, in that order. */
  readonly #silent = new Map<string, number>();
  readonly #sum: Level = { bytes: 0, at: 0 };
  #forgetAt = 0;

  constructor(options: ShareOptions) {
    this.#options = options;
    this.#elapsed = options.elapsed ?? (() => performance.now());
  }

  /** At the start: a device that is silent until later has a share too. */
  know(devices: Iterable<string>): void {
    for (const device of devices) this.count(device, 0);
  }

  /** Changes nothing: what is stored is to be told to `count`. */
  judge(device: string, bytes: number, room: Room): ShareVerdict {
    const { highWater, windowMs, refuses } = this.#options;
    if (room.bytes >= (1 - highWater) * room.capacityBytes) return WITHIN;
    const now = this.#elapsed();
    const known = this.#levels.get(device);
    const own = known === undefined ? 0 : this.#bytesOf(known, now);
    const others = this.#levels.size - (known === undefined ? 0 : 1);
    if (others === 0 && !this.#isOtherSilent(device)) return WITHIN;
    const average = Math.max(0, this.#bytesOf(this.#sum, now) - own) / Math.max(1, others);
    const part = (room.bytes / (others + 1)) * (windowMs / HORIZON_MS);
    const share = Math.max(TIMES_OTHERS * average, part);
    const level = own + bytes;
    if (level <= share) return WITHIN;
    const waitMs = share === 0 ? windowMs : windowMs * Math.log(level / share);
    return { kind: refuses && level > TIMES_SHARE * share ? 'refused' : 'over', waitMs };
  }

  count(device: string, bytes: number): void {
    const now = this.#elapsed();
    this.#add(this.#sum, bytes, now);
    this.#add(this.#levelOf(device, now), bytes, now);
    if (this.#levels.size > MAX_DEVICES || now >= this.#forgetAt) this.#forget(now);
  }

  /** Moved to the end of the order. */
  #levelOf(device: string, now: number): Level {
    const known = this.#levels.get(device);
    if (known !== undefined && now - known.at < ORDER_MS) return known;
    const level = known ?? { bytes: 0, at: now };
    this.#levels.delete(device);
    this.#levels.set(device, level);
    this.#silent.delete(device);
    return level;
  }

  #add(level: Level, bytes: number, now: number): void {
    level.bytes = this.#bytesOf(level, now) + bytes;
    level.at = now;
  }

  #bytesOf({ bytes, at }: Level, now: number): number {
    return bytes * Math.exp((at - now) / this.#options.windowMs);
  }

  #isOtherSilent(device: string): boolean {
    return this.#silent.size > (this.#silent.has(device) ? 1 : 0);
  }

  #forget(now: number): void {
    this.#forgetAt = now + FORGET_EVERY_MS;
    for (const [device, level] of this.#levels) {
      if (now - level.at < HORIZON_MS && this.#levels.size <= MAX_DEVICES) break;
      this.#levels.delete(device);
      this.#silent.set(device, level.at);
      this.#add(this.#sum, -this.#bytesOf(level, now), now);
    }
    for (const [device, at] of this.#silent) {
      if (now - at < this.#options.keptMs && this.#silent.size <= MAX_DEVICES) break;
      this.#silent.delete(device);
    }
  }
}
