/** Where the clock stands when the machine starts, and what happens to it later. */

const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
export const YEAR_MS = 365.25 * DAY_MS;

/** How far it is off, by the true time. */
export const STARTS: readonly (readonly [name: string, offsetMs: (now: number) => number])[] = [
  ['1970', (now) => -now],
  ['+56 years', () => 56 * YEAR_MS],
  ['-1 h', () => -HOUR_MS],
  ['+10 years', () => 10 * YEAR_MS],
  ['right, but nobody says so', () => 0],
];

/** Before it is synchronised, one life of the machine after the other. */
export const RESTARTS = ['nothing', 'the gateway', 'the machine'] as const;
