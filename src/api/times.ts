const END_OF_YEAR_9999 = 253_402_300_799_999;

/** What one answer holds is often of one moment, and making the text is dear. */
let latest = { ms: 0, text: new Date(0).toISOString() };

/** RFC 3339 UTC of milliseconds since 1970; null for none, and for what RFC 3339 cannot say. */
export function toTime(ms: number | null): string | null {
  if (ms === null || !(ms >= 0 && ms <= END_OF_YEAR_9999)) return null;
  if (latest.ms !== ms) latest = { ms, text: new Date(ms).toISOString() };
  return latest.text;
}

/** Seconds from `ms` until `now`, never negative; null for no time. */
export function ageSeconds(ms: number | null, now: number): number | null {
  return ms === null ? null : Math.max(0, now - ms) / 1000;
}

/** Null when none of them is a time. */
export function earliest(times: readonly (number | null)[]): number | null {
  const known = times.filter((ms) => ms !== null);
  return known.length === 0 ? null : Math.min(...known);
}
