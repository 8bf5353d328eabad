import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseObservedAt } from '../../../src/ingest/observed-at.ts';

/** The largest distance from 1970 that a Date can hold, in milliseconds (ECMA-262 §21.4.1.1). */
const MAX_DATE_MS = 8.64e15;

describe('the time of observation', () => {
  it.each([
    ['2026-03-04', Date.UTC(2026, 2, 4)],
    ['2026-03-04T05:06', Date.UTC(2026, 2, 4, 5, 6)],
    ['2026-03-04T05:06:07', Date.UTC(2026, 2, 4, 5, 6, 7)],
    ['2026-03-04T05:06:07Z', Date.UTC(2026, 2, 4, 5, 6, 7)],
    ['2026-03-04T05:06:07.089Z', Date.UTC(2026, 2, 4, 5, 6, 7, 89)],
    ['2026-03-04T05:06:07.089123456Z', Date.UTC(2026, 2, 4, 5, 6, 7, 89)],
    ['2026-03-04T05:06:07+01:00', Date.UTC(2026, 2, 4, 4, 6, 7)],
    ['2026-03-04T05:06:07-09:30', Date.UTC(2026, 2, 4, 14, 36, 7)],
    ['2026-03-04T05:06:07.5', Date.UTC(2026, 2, 4, 5, 6, 7, 500)],
    ['2024-02-29T23:59:59Z', Date.UTC(2024, 1, 29, 23, 59, 59)],
    ['1970-01-01T00:00:00Z', 0],
    ['9999-12-31T23:59:59Z', Date.UTC(9999, 11, 31, 23, 59, 59)],
    ['2026-03-04 05:06:07', Date.UTC(2026, 2, 4, 5, 6, 7)],
    ['2026-03-04t05:06:07z', Date.UTC(2026, 2, 4, 5, 6, 7)],
    ['2026-03-04T05:06:07,5Z', Date.UTC(2026, 2, 4, 5, 6, 7, 500)],
    ['2026-03-04T05:06:07+0100', Date.UTC(2026, 2, 4, 4, 6, 7)],
    ['2026-03-04T05:06-01', Date.UTC(2026, 2, 4, 6, 6)],
    [' 2026-03-04T05:06:07Z\n', Date.UTC(2026, 2, 4, 5, 6, 7)],
  ])('reads %s', (text, expected) => {
    expect(parseObservedAt(text)).toBe(expected);
  });

  it('does not depend on the time zone of the gateway', () => {
    const zone = process.env['TZ'];
    try {
      process.env['TZ'] = 'America/New_York';
      expect(parseObservedAt('2026-03-04T05:06:07')).toBe(Date.UTC(2026, 2, 4, 5, 6, 7));
      expect(parseObservedAt('2026-03-04')).toBe(Date.UTC(2026, 2, 4));
    } finally {
      if (zone === undefined) delete process.env['TZ'];
      else process.env['TZ'] = zone;
    }
  });

  it.each([
    [0, 0],
    [1_700_000_000, 1_700_000_000_000],
    [1_700_000_000.25, 1_700_000_000_250],
    [1_700_000_000_000, 1_700_000_000_000],
    [99_999_999_999, 99_999_999_999_000],
    [100_000_000_000, 100_000_000_000],
  ])('takes %d for seconds below 1e11, else for milliseconds', (ts, expected) => {
    expect(parseObservedAt(ts)).toBe(expected);
  });

  it.each([
    '',
    ' ',
    'now',
    '1700000000',
    '2026',
    '2026-13-01',
    '2026-00-01',
    '2026-01-00',
    '2026-01-32',
    '2026-02-30',
    '2025-02-29T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-03-04T25:00:00Z',
    '2026-03-04T05:60:00Z',
    '2026-03-04T05:06:07+25:00',
    '2026-03-04T05:06:07 CET',
    'Wed, 04 Mar 2026 05:06:07 GMT',
    '03/04/2026',
    '2026-03-04T',
    '2026-03-04TZ',
    '2026-03-04T05:06:07Z\u0000',
    `2026-03-04T05:06:07.${'1'.repeat(100_000)}x`,
    '1969-12-31T23:59:59Z',
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    1e300,
    -1e300,
    MAX_DATE_MS + 1000,
    true,
    null,
    undefined,
    {},
    [],
    ['2026-03-04'],
  ])('is not what %j says', (ts) => {
    expect(parseObservedAt(ts)).toBeUndefined();
  });

  it('reads every instant that is printed as ISO 8601', () => {
    const date = fc.date({ min: new Date(0), max: new Date('9999-12-31T23:59:59.999Z'), noInvalidDate: true });
    fc.assert(
      fc.property(date, (at) => {
        expect(parseObservedAt(at.toISOString())).toBe(at.getTime());
      }),
    );
  });

  it('is one that can be printed again, whatever the device sent', () => {
    fc.assert(
      fc.property(fc.oneof(fc.double(), fc.maxSafeInteger(), fc.string(), fc.anything()), (ts) => {
        const observedAt = parseObservedAt(ts);
        if (observedAt !== undefined) expect(Number.isNaN(new Date(observedAt).getTime())).toBe(false);
      }),
    );
  });
});
