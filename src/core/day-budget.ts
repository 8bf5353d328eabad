/** The budget of a metered link is one of a UTC day. */

import type { Stream } from './stream.ts';

const DAY_MS = 86_400_000;

/** `ms`: UTC milliseconds. UTC days since 1970. */
export function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/** UTC milliseconds: when the day is over. */
export function endOf(day: number): number {
  return (day + 1) * DAY_MS;
}

/** It is sent although the budget is spent, and counted all the same. */
export function mayPassBudget(stream: Stream, { eventsOverBudget }: { readonly eventsOverBudget: boolean }): boolean {
  return eventsOverBudget && stream === 'events';
}
