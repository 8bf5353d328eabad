import type { AcceptanceClock } from '../core/acceptance.ts';

/** What the store knows of time. */
export interface StoreClock extends AcceptanceClock {
  /** Milliseconds that never go back and never jump. */
  elapsed(): number;
}
