import type { LocalZone } from './local-zone.ts';

export type { LocalZone };

/** Numbers below this are seconds since 1970, others milliseconds: as seconds it is the year 5138, as milliseconds 1973. */
const SECONDS_BELOW = 1e11;
const LATEST_MS = Date.UTC(9999, 11, 31, 23, 59, 59, 999);
/** A calendar date, and optionally a time with or without an offset (ISO 8601 extended format, RFC 3339). */
const ISO_8601 = /^(\d{4}-\d\d-\d\d)(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(Z|[+-]\d\d(?::?\d\d)?)?)?$/i;

/**
 * The time of observation that a device gave as `ts`: ISO 8601 text (of `home`, else UTC, when it names no offset), or
 * a number. Returns UTC milliseconds in the years 1970 to 9999, or undefined when it is none of them.
 */
export function parseObservedAt(ts: unknown, home?: Home): number | undefined {
  const time =
    typeof ts === 'number' ? fromNumber(ts) : typeof ts === 'string' ? fromText(ts.trim(), home) : Number.NaN;
  return time >= 0 && time <= LATEST_MS ? time : undefined;
}

export interface Home {
  readonly zone: LocalZone;
  /** UTC milliseconds: tells apart the two times that a clock shows twice. */
  readonly now: number;
}

function fromNumber(ts: number): number {
  return Math.round(ts < SECONDS_BELOW ? ts * 1000 : ts);
}

function fromText(text: string, home: Home | undefined): number {
  const match = ISO_8601.exec(text);
  if (match === null || !isCalendarDate(match[1] ?? '')) return Number.NaN;
  const offset = match[2];
  const standard = text
    .replace(' ', 'T')
    .replace(',', '.')
    .replace(/([+-]\d\d)$/, '$1:00')
    .replace(/([+-]\d\d)(\d\d)$/, '$1:$2');
  if (offset !== undefined) return Date.parse(standard);
  // Without an offset JavaScript would take the gateway's own zone.
  const local = Date.parse(text.length > 10 ? `${standard}Z` : text);
  if (home === undefined || Number.isNaN(local)) return local;
  // East of Greenwich a clock that starts with 1970 shows hours before our first one.
  return local < 0 ? local : Math.max(home.zone.toUtc(local, home.now), 0);
}

/** JavaScript takes 30 February for 2 March. */
function isCalendarDate(date: string): boolean {
  const time = Date.parse(date);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}
