import type { Room } from '../core/ports.ts';

export interface ShareOptions {
  /** The part of the buffer, 0 to 1, that may be taken by what waits before shares count; with 1 they never do. */
  readonly highWater: number;
  readonly windowMs: number;
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
  readonly bytes: number;
  readonly at: number;
}

/** How often the average of the others a device may send, and how often its share before it is refused. */
const TIMES_OTHERS = 2;
const TIMES_SHARE = 2;
/** What is left of the buffer is to last for so long, when all devices take equal parts of it. */
const HORIZON_MS = 24 * 3_600_000;
/** Devices remembered; those that were silent for longest are forgotten first, and all after a day. */
const MAX_DEVICES = 10_000;
const WITHIN: ShareVerdict = { kind: 'within' };

/**
 * Who may still store while the buffer runs full. A device's share is twice what the others sent on average within the
 * window, and at least an equal part of what is left, spread over a day; the only device has it all. So what all
 * store together shrinks as the buffer fills, and is what the quiet ones need.
 */
export class Shares {
  readonly #options: ShareOptions;
  readonly #elapsed: () => number;
  /** In the order in which they were heard last. */
  readonly #levels = new Map<string, Level>();
  #sum: Level = { bytes: 0, at: 0 };

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
    const own = this.#now(this.#levels.get(device));
    const share = this.#shareOf(device, own, room);
    const level = own + bytes;
    if (level <= share) return WITHIN;
    const waitMs = share === 0 ? windowMs : windowMs * Math.log(level / share);
    return { kind: refuses && level > TIMES_SHARE * share ? 'refused' : 'over', waitMs };
  }

  count(device: string, bytes: number): void {
    const at = this.#elapsed();
    const own = this.#now(this.#levels.get(device));
    this.#sum = { bytes: this.#now(this.#sum) + bytes, at };
    this.#levels.delete(device);
    this.#levels.set(device, { bytes: own + bytes, at });
    this.#forget();
  }

  #shareOf(device: string, own: number, room: Room): number {
    const others = this.#levels.size - (this.#levels.has(device) ? 1 : 0);
    if (others === 0) return Number.POSITIVE_INFINITY;
    const average = Math.max(0, this.#now(this.#sum) - own) / others;
    const part = (room.bytes / (others + 1)) * (this.#options.windowMs / HORIZON_MS);
    return Math.max(TIMES_OTHERS * average, part);
  }

  #now(level: Level | undefined): number {
    if (level === undefined) return 0;
    return level.bytes * Math.exp((level.at - this.#elapsed()) / this.#options.windowMs);
  }

  #forget(): void {
    for (const [device, level] of this.#levels) {
      const isRecent = this.#elapsed() - level.at < HORIZON_MS;
      if (isRecent && this.#levels.size <= MAX_DEVICES) return;
      this.#levels.delete(device);
      this.#sum = { bytes: this.#now(this.#sum) - this.#now(level), at: this.#elapsed() };
    }
  }
}
