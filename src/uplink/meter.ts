import { dayOf, endOf, mayPassBudget } from '../core/day-budget.ts';
import { SluiceError } from '../core/errors.ts';
import type { DayBytes, LaneId, LaneLog } from '../core/lane-log.ts';
import type { Stream } from '../core/stream.ts';
import { pause } from './bounded.ts';
import type { MeterOptions } from './options.ts';

/** The clock may be set while it is waited for tomorrow. */
const LOOK_MS = 60_000;

export interface MeterParts {
  readonly uplink: string;
  readonly options: MeterOptions;
  readonly laneLog: LaneLog;
  /** Told of what it lets through. */
  readonly onSent: (lane: LaneId, bytes: number) => void;
  /** UTC milliseconds. */
  readonly now?: () => number;
}

/** The code of the error that says: not today. */
export const BUDGET_SPENT = 'daily_budget_spent';

/**
 * What one uplink may put on the wire: so many bytes a second, and so many a UTC day. Every attempt counts, with the
 * bytes of key, value and headers before compression.
 */
export class Meter {
  readonly #parts: MeterParts;
  readonly #now: () => number;
  #freeAt = Number.NEGATIVE_INFINITY;
  #today: DayBytes = { day: -1, bytes: 0 };
  /** Of today, and not in the store yet. */
  #unsettledBytes = 0;

  constructor(parts: MeterParts) {
    this.#parts = parts;
    this.#now = parts.now ?? Date.now;
  }

  /** Takes up what was counted before a restart. */
  async start(): Promise<void> {
    await this.#turnDay();
  }

  /**
   * Of records of so many bytes each, resolves with how many may be sent when they may, and are counted then: no more
   * than fit into a second, and into what is left of the day. One that alone is more than a second carries may go all
   * the same, and one that is more than a whole day's budget when nothing else went that day.
   * @throws SluiceError `daily_budget_spent`
   */
  async enter(lane: LaneId, sizes: Iterable<number>, signal: AbortSignal): Promise<number> {
    await this.#turnDay();
    const leftToday = this.#leftToday(lane.stream);
    const { maxBytesPerSecond } = this.#parts.options;
    const { count, bytes } = fitting(sizes, Math.min(leftToday, maxBytesPerSecond || Number.POSITIVE_INFINITY));
    if (bytes > leftToday && this.#today.bytes > 0) throw this.#spent();
    this.#today = { day: this.#today.day, bytes: this.#today.bytes + bytes };
    this.#unsettledBytes += bytes;
    await this.#turn(bytes, signal);
    this.#parts.onSent(lane, bytes);
    return count;
  }

  /** What the next settlement is to count; given back when it failed. */
  take(): DayBytes | undefined {
    if (this.#unsettledBytes === 0) return undefined;
    const taken = { day: this.#today.day, bytes: this.#unsettledBytes };
    this.#unsettledBytes = 0;
    return taken;
  }

  giveBack(sent: DayBytes | undefined): void {
    if (sent?.day === this.#today.day) this.#unsettledBytes += sent.bytes;
  }

  /** UTC milliseconds: when the next day begins. */
  get nextDayAt(): number {
    return endOf(this.#today.day);
  }

  /** Resolves when there is a budget again. */
  async nextDay(signal: AbortSignal): Promise<void> {
    const { day } = this.#today;
    while (!signal.aborted && dayOf(this.#now()) === day) {
      await pause(Math.min(this.nextDayAt - this.#now(), LOOK_MS), signal);
    }
  }

  #leftToday(stream: Stream): number {
    const { options } = this.#parts;
    const { maxBytesPerDay } = options;
    if (maxBytesPerDay === 0 || mayPassBudget(stream, options)) return Number.POSITIVE_INFINITY;
    return Math.max(0, maxBytesPerDay - this.#today.bytes);
  }

  /** Who came first goes first; the bytes sent before are waited for, not one's own. */
  async #turn(bytes: number, signal: AbortSignal): Promise<void> {
    const { maxBytesPerSecond } = this.#parts.options;
    if (maxBytesPerSecond === 0) return;
    const now = performance.now();
    const at = Math.max(now, this.#freeAt);
    this.#freeAt = at + (bytes / maxBytesPerSecond) * 1_000;
    if (at > now) await pause(at - now, signal);
  }

  async #turnDay(): Promise<void> {
    const day = dayOf(this.#now());
    if (day === this.#today.day) return;
    const { laneLog, uplink } = this.#parts;
    const bytes = await laneLog.sentBytes(uplink, day);
    if (day === this.#today.day) return;
    this.#today = { day, bytes };
    this.#unsettledBytes = 0;
  }

  #spent(): SluiceError {
    const { maxBytesPerDay } = this.#parts.options;
    const until = new Date(this.nextDayAt).toISOString();
    return new SluiceError(`the budget of ${maxBytesPerDay} bytes a day is spent, it goes on at ${until}`, {
      code: BUDGET_SPENT,
      retryable: true,
    });
  }
}

/** The first of them, as many as are within the limit; at least one. */
function fitting(sizes: Iterable<number>, maxBytes: number): { count: number; bytes: number } {
  let [count, bytes] = [0, 0];
  for (const size of sizes) {
    if (count > 0 && bytes + size > maxBytes) break;
    count += 1;
    bytes += size;
  }
  return { count, bytes };
}
