import type { TimeQuality } from '../core/record.ts';

/** What the store knows of time. */
export interface StoreClock {
  /** UTC milliseconds. */
  now(): number;
  /** Milliseconds that never go back and never jump. */
  elapsed(): number;
  quality(): TimeQuality;
}
