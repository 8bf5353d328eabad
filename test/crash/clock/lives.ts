/** How long a machine is without power, unsynchronised and right, so that a limit of age has something to judge. */

import { DAY_MS } from './starts.ts';

export const MINUTE_MS = 60_000;
export const MAX_AGE_MS = DAY_MS;
/** What is looked at is so much older or younger than the limit. */
const MARGIN_MS = 15 * MINUTE_MS;
/** Between what will be too old, and what will not. */
export const BETWEEN_MS = 2 * MARGIN_MS;
const UNSYNCED_MS = 120 * MINUTE_MS;
/** While nobody synchronises it, something is stored and looked at so often. */
export const EVERY_MS = DAY_MS / 2;
/** Too short for the limit to trust a clock, and what is missing then. */
export const SHORT_MS = 50 * MINUTE_MS;
export const REST_MS = 20 * MINUTE_MS;
/** With power, from the start of the machine until the limit takes something. */
const POWERED_MS = UNSYNCED_MS + 3 * SHORT_MS + REST_MS;
/** With a part of what is there too old in the end, and a part not. */
export const PARTLY = { awayMs: MAX_AGE_MS + MARGIN_MS - BETWEEN_MS - POWERED_MS, unsyncedMs: UNSYNCED_MS };
/** Without power, and then with it until somebody synchronises the clock: days of one, or days of the other. */
export const LIVES = [
  { awayMs: 3 * DAY_MS, unsyncedMs: UNSYNCED_MS },
  PARTLY,
  { awayMs: MINUTE_MS, unsyncedMs: 3 * DAY_MS },
  PARTLY,
];
/** Which of `LIVES` has days in which nobody does. */
export const LIFE_WITHOUT_SYNC = 2;
