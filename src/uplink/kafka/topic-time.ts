/** The Kafka record's own timestamp. */
export type TimeKind = 'observed' | 'sent' | 'none';

/** A time that a topic refused is not tried again for so long. */
const REFUSED_MS = 600_000;

/** Which timestamp the records of a topic get: what is configured, unless the topic refused it. */
export class TopicTime {
  /** Until then the observed time is not used. */
  #sentUntil: number;
  /** Until then no time is used. */
  #noneUntil = 0;

  constructor(configured: 'observed' | 'sent') {
    this.#sentUntil = configured === 'sent' ? Number.POSITIVE_INFINITY : 0;
  }

  /** `now`: of a clock that never goes back. */
  kindAt(now: number): TimeKind {
    if (now < this.#noneUntil) return 'none';
    return now < this.#sentUntil ? 'sent' : 'observed';
  }

  /** The topic refused what it got: the next kind is used for a while. */
  fallBack(now: number): void {
    if (this.kindAt(now) === 'observed') this.#sentUntil = now + REFUSED_MS;
    else this.#noneUntil = now + REFUSED_MS;
  }
}
