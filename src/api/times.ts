const END_OF_YEAR_9999 = 253_402_300_799_999;

/** RFC 3339 UTC of milliseconds since 1970; null for none, and for what RFC 3339 cannot say. */
export function toTime(ms: number | null): string | null {
  return ms !== null && ms >= 0 && ms <= END_OF_YEAR_9999 ? new Date(ms).toISOString() : null;
}

/** Seconds from `ms` until `now`, never negative; null for no time. */
export function ageSeconds(ms: number | null, now: number): number | null {
  return ms === null ? null : Math.max(0, now - ms) / 1000;
}
