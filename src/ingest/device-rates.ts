export interface DeviceRatesOptions {
  /** Messages per second of one device, after a burst of one second's worth; 0 is unlimited. */
  readonly ratePerS: number;
  /** Milliseconds of a clock that never goes back. */
  readonly elapsed?: () => number;
}

const BURST_MS = 1_000;
/** Devices remembered; those that were silent for longest are forgotten first. */
const MAX_DEVICES = 10_000;

/** How much too early the messages of devices come, whatever source they come from. */
export class DeviceRates {
  readonly #intervalMs: number;
  readonly #elapsed: () => number;
  /** When the rate alone would have brought the latest message, by device; in the order in which they came. */
  readonly #paidUntil = new Map<string, number>();

  constructor({ ratePerS, elapsed = () => performance.now() }: DeviceRatesOptions) {
    this.#intervalMs = ratePerS === 0 ? 0 : 1_000 / ratePerS;
    this.#elapsed = elapsed;
  }

  /** Until the next message is due; 0 when it is. Changes nothing. */
  waitMs(device: string): number {
    return this.#intervalMs === 0 ? 0 : Math.max(0, this.#dueAt(device) - this.#elapsed());
  }

  count(device: string): void {
    if (this.#intervalMs === 0) return;
    const dueAt = this.#dueAt(device);
    this.#paidUntil.delete(device);
    this.#paidUntil.set(device, dueAt);
    for (const oldest of this.#paidUntil.keys()) {
      if (this.#paidUntil.size <= MAX_DEVICES) break;
      this.#paidUntil.delete(oldest);
    }
  }

  #dueAt(device: string): number {
    const paidUntil = this.#paidUntil.get(device) ?? Number.NEGATIVE_INFINITY;
    return Math.max(paidUntil, this.#elapsed() - BURST_MS) + this.#intervalMs;
  }
}
