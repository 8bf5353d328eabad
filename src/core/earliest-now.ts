/** UTC milliseconds. A clock that is behind this program is wrong, whatever the system says of it. */
export const EARLIEST_NOW_MS = Date.UTC(2026, 0);
