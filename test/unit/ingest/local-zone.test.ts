import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalZone } from '../../../src/ingest/local-zone.ts';
import { parseObservedAt } from '../../../src/ingest/observed-at.ts';

const berlin = new LocalZone('Europe/Berlin');
const utc = (text: string) => Date.parse(text);
const at = (text: string, now: string, zone = berlin) => {
  const time = parseObservedAt(text, { zone, now: utc(now) });
  return time === undefined ? undefined : new Date(time).toISOString().replace('.000Z', 'Z');
};

describe('a local time', () => {
  it('is an hour or two ahead of UTC in Berlin', () => {
    expect(at('2026-01-15T12:00:00', '2026-06-01T00:00Z')).toBe('2026-01-15T11:00:00Z');
    expect(at('2026-07-15 12:00', '2026-06-01T00:00Z')).toBe('2026-07-15T10:00:00Z');
    expect(at('2026-07-15', '2026-06-01T00:00Z')).toBe('2026-07-14T22:00:00Z');
  });

  it('with an offset is what it says', () => {
    expect(at('2026-07-15T12:00:00Z', '2026-06-01T00:00Z')).toBe('2026-07-15T12:00:00Z');
    expect(at('2026-07-15T12:00:00-0500', '2026-06-01T00:00Z')).toBe('2026-07-15T17:00:00Z');
  });

  it('that came twice is the one nearer to now', () => {
    // The clocks were set back from 03:00 to 02:00, at 01:00 UTC.
    expect(at('2026-10-25T02:30:00', '2026-10-25T00:30:01Z')).toBe('2026-10-25T00:30:00Z');
    expect(at('2026-10-25T02:30:00', '2026-10-25T01:30:01Z')).toBe('2026-10-25T01:30:00Z');
    expect(at('2026-10-25T01:59:59', '2026-10-25T01:30:01Z')).toBe('2026-10-24T23:59:59Z');
    expect(at('2026-10-25T03:00:00', '2026-10-25T00:30:01Z')).toBe('2026-10-25T02:00:00Z');
  });

  it('that never was counts on from before', () => {
    // From 02:00 the clocks were set to 03:00, at 01:00 UTC.
    expect(at('2026-03-29T01:59:59', '2026-03-29T01:00Z')).toBe('2026-03-29T00:59:59Z');
    expect(at('2026-03-29T02:30:00', '2026-03-29T01:00Z')).toBe('2026-03-29T01:30:00Z');
    expect(at('2026-03-29T03:00:00', '2026-03-29T01:00Z')).toBe('2026-03-29T01:00:00Z');
  });

  it('may be at home where the steps are odd', () => {
    expect(at('2026-04-05T01:45:00', '2026-04-04T15:15Z', new LocalZone('Australia/Lord_Howe'))).toBe(
      '2026-04-04T15:15:00Z',
    );
    expect(at('2026-01-01T05:45:00', '2026-01-01T00:00Z', new LocalZone('Asia/Kathmandu'))).toBe(
      '2026-01-01T00:00:00Z',
    );
  });

  it('that is no time is none, in any zone', () => {
    expect(at('2026-01-15T25:00:00', '2026-06-01T00:00Z')).toBeUndefined();
    expect(at('2026-02-30T12:00:00', '2026-06-01T00:00Z')).toBeUndefined();
  });

  it('is found again from every moment that a clock shows', () => {
    const zones = [
      'Europe/Berlin',
      'America/St_Johns',
      'Australia/Lord_Howe',
      'Asia/Tokyo',
      'America/Sao_Paulo',
      'UTC',
    ];
    const shown = new Map(
      zones.map((timeZone) => [
        timeZone,
        new Intl.DateTimeFormat('sv-SE', { timeZone, dateStyle: 'short', timeStyle: 'medium' }),
      ]),
    );
    const moment = fc.integer({ min: utc('2000-01-02T00:00Z') / 1000, max: utc('2037-01-01T00:00Z') / 1000 });
    fc.assert(
      fc.property(fc.constantFrom(...zones), moment, (name, seconds) => {
        const text = shown.get(name)?.format(seconds * 1000) ?? '';
        expect(parseObservedAt(text, { zone: new LocalZone(name), now: seconds * 1000 })).toBe(seconds * 1000);
      }),
      { numRuns: 300 },
    );
  });

  it('has no home in a zone that does not exist', () => {
    expect(() => new LocalZone('Europe/Atlantis')).toThrow(RangeError);
  });
});
