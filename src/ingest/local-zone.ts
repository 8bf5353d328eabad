const DAY_MS = 24 * 60 * 60 * 1000;
/** Since 1972 clocks were set only at quarters of an hour. */
const QUARTER_MS = 15 * 60 * 1000;
/** Quarters whose offset is kept: asking for one takes as long as judging twenty messages. */
const MAX_KEPT = 64;

/** An IANA time zone: what its clocks show, in UTC. */
export class LocalZone {
  readonly #format: Intl.DateTimeFormat;
  readonly #kept = new Map<number, number>();

  /** @throws RangeError when there is no such zone */
  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone: name,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  /**
   * UTC milliseconds of a local time, given as if it were UTC. A time that came twice, when the clocks were set back,
   * is the one nearer to `near`; one that never was, when they were set forward, counts on from before.
   */
  toUtc(local: number, near: number): number {
    // No zone changes its offset twice within two days.
    const before = local - this.#offsetAt(local - DAY_MS);
    const after = local - this.#offsetAt(local + DAY_MS);
    const real = [before, after].filter((utc) => utc + this.#offsetAt(utc) === local);
    const [first = before, second = first] = real;
    return Math.abs(second - near) < Math.abs(first - near) ? second : first;
  }

  /** What the zone's clocks are ahead of UTC at that time, in milliseconds. */
  #offsetAt(utc: number): number {
    const quarter = Math.floor(utc / QUARTER_MS);
    const kept = this.#kept.get(quarter);
    if (kept !== undefined) return kept;
    const offset = this.#ask(quarter * QUARTER_MS);
    if (this.#kept.size >= MAX_KEPT) this.#kept.clear();
    this.#kept.set(quarter, offset);
    return offset;
  }

  #ask(utc: number): number {
    const part: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(utc)) part[type] = value;
    const { year, month, day, hour, minute, second } = part;
    const shown = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
    return shown - utc;
  }
}
