import { ownText } from '../core/own-copy.ts';
import type { LatestMetric, MetricValue, Observation } from '../core/views.ts';

/** What one kept value costs beside its texts: the map's slot and the object. An estimate, rounded up. */
const VALUE_BYTES = 160;
const BYTES_PER_CHARACTER = 2;
const MAX_TEXT_LENGTH = 256;
const MAX_NAME_LENGTH = 256;
const MAX_UNIT_LENGTH = 32;
/** A device's clock may be ahead of ours by so much and still be believed. */
const MAX_AHEAD_MS = 5 * 60_000;

/** Bounds the memory of the latest values of all devices together. */
export class LatestBudget {
  readonly maxMetrics: number;
  readonly #maxBytes: number;
  #usedBytes = 0;
  /** Values that were not kept. */
  skippedCount = 0;

  constructor(limits: { readonly maxMetrics: number; readonly maxBytes: number }) {
    this.maxMetrics = limits.maxMetrics;
    this.#maxBytes = limits.maxBytes;
  }

  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** False, and nothing taken, when there is no room. Negative bytes give back. */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#usedBytes + bytes > this.#maxBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }
}

/** The newest value of each metric of one device. */
export class LatestValues {
  readonly #budget: LatestBudget;
  readonly #metrics = new Map<string, LatestMetric>();

  constructor(budget: LatestBudget) {
    this.#budget = budget;
  }

  get size(): number {
    return this.#metrics.size;
  }

  /** In the order of their names. */
  list(): readonly LatestMetric[] {
    return [...this.#metrics.values()].sort((a, b) => (a.metric < b.metric ? -1 : 1));
  }

  observe({ metrics, units, seq, receivedAt, observedAt }: Observation): void {
    if (metrics === null) return;
    for (const metric of Object.keys(metrics)) {
      const unit = boundedUnit(units?.[metric]);
      this.#keep({ metric, value: bounded(metrics[metric] ?? null), seq, receivedAt, observedAt, unit });
    }
  }

  clear(): void {
    for (const known of this.#metrics.values()) this.#budget.take(-bytesOf(known));
    this.#metrics.clear();
  }

  toJson(): string {
    const rows = [...this.#metrics.values()].map((known) => [
      known.metric,
      known.value,
      known.seq,
      known.receivedAt,
      known.observedAt,
      ...(known.unit === undefined ? [] : [known.unit]),
    ]);
    return JSON.stringify(rows);
  }

  /** @throws when the text is not what `toJson` wrote. */
  load(json: string): void {
    for (const [metric, value, seq, receivedAt, observedAt, unit] of JSON.parse(json) as SavedMetric[]) {
      this.#keep({ metric: String(metric), value: bounded(value), seq, receivedAt, observedAt, unit });
    }
  }

  #keep(said: LatestMetric): void {
    const known = this.#metrics.get(said.metric);
    if (known !== undefined && !isNewer(said, known)) return;
    // Records hold no units: what is read from the log has that of before.
    const latest = said.unit !== undefined || known?.unit === undefined ? said : { ...said, unit: known.unit };
    const oldBytes = known === undefined ? 0 : bytesOf(known);
    if ((known !== undefined || this.#hasRoomFor(latest.metric)) && this.#budget.take(bytesOf(latest) - oldBytes)) {
      this.#metrics.set(latest.metric, latest);
      return;
    }
    // A value that is out of date must not be shown as the latest.
    if (this.#metrics.delete(latest.metric)) this.#budget.take(-oldBytes);
    this.#budget.skippedCount += 1;
  }

  #hasRoomFor(name: string): boolean {
    return this.#metrics.size < this.#budget.maxMetrics && name.length <= MAX_NAME_LENGTH;
  }
}

type SavedMetric = readonly [
  metric: string,
  value: MetricValue,
  seq: number,
  receivedAt: number,
  observedAt: number | null,
  unit?: string,
];

/** By time of observation where both have a believable one, else by seq. */
function isNewer(a: LatestMetric, b: LatestMetric): boolean {
  const aAt = believableTime(a);
  const bAt = believableTime(b);
  if (aAt !== null && bAt !== null && aAt !== bAt) return aAt > bAt;
  return a.seq > b.seq;
}

/** A device whose clock once ran ahead must not hide its later values. */
function believableTime({ observedAt, receivedAt }: LatestMetric): number | null {
  return observedAt !== null && observedAt <= receivedAt + MAX_AHEAD_MS ? observedAt : null;
}

function bounded(value: MetricValue): MetricValue {
  if (typeof value !== 'string' || value.length <= MAX_TEXT_LENGTH) return value;
  return ownText(`${value.slice(0, MAX_TEXT_LENGTH - 1)}…`);
}

function boundedUnit(unit: string | undefined): string | undefined {
  return unit !== undefined && unit.length <= MAX_UNIT_LENGTH ? unit : undefined;
}

function bytesOf({ metric, value, unit = '' }: LatestMetric): number {
  const textLength = metric.length + unit.length + (typeof value === 'string' ? value.length : 0);
  return VALUE_BYTES + textLength * BYTES_PER_CHARACTER;
}
