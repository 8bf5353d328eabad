import type { DeviceRow } from '../core/state-store.ts';
import { type Device, deviceOf, newDevice } from './device.ts';
import type { LatestBudget } from './latest-values.ts';

/** The devices by id, a bounded number of them. */
export class DeviceMap {
  readonly #maxCount: number;
  readonly #budget: LatestBudget;
  readonly #devices = new Map<string, Device>();
  #sortedIds: readonly string[] | null = null;

  constructor(maxCount: number, budget: LatestBudget) {
    this.#maxCount = maxCount;
    this.#budget = budget;
  }

  get size(): number {
    return this.#devices.size;
  }

  get isFull(): boolean {
    return this.#devices.size >= this.#maxCount;
  }

  get(id: string): Device | undefined {
    return this.#devices.get(id);
  }

  ids(): Iterable<string> {
    return this.#devices.keys();
  }

  /** What was known before is kept, even when there is more of it than the limit allows for new ones. */
  load(row: DeviceRow): void {
    this.#set(deviceOf(row, this.#budget));
  }

  /** The device, made when it is new; undefined when there is no room for a new one. */
  ensure(id: string): Device | undefined {
    return this.isFull ? this.#devices.get(id) : this.provide(id);
  }

  /** The device, made when it is new, whatever the limit says. */
  provide(id: string): Device {
    const known = this.#devices.get(id);
    if (known !== undefined) return known;
    const device = newDevice(id, this.#budget);
    this.#set(device);
    return device;
  }

  delete(id: string): void {
    this.#devices.get(id)?.latest.clear();
    this.#devices.delete(id);
    this.#sortedIds = null;
  }

  /** In the order of their ids, those behind `after`, at most `limit`. */
  page(after: string, limit: number): readonly Device[] {
    this.#sortedIds ??= [...this.#devices.keys()].sort((a, b) => (a < b ? -1 : 1));
    const start = firstBehind(this.#sortedIds, after);
    return this.#sortedIds.slice(start, start + limit).flatMap((id) => this.#devices.get(id) ?? []);
  }

  #set(device: Device): void {
    this.#devices.set(device.id, device);
    this.#sortedIds = null;
  }
}

/** Index of the first id greater than `after`. */
function firstBehind(sortedIds: readonly string[], after: string): number {
  let low = 0;
  let high = sortedIds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sortedIds[middle] ?? '') > after) high = middle;
    else low = middle + 1;
  }
  return low;
}
