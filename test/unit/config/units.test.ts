import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDuration, parseSize } from '../../../src/config/units.ts';

describe('durations', () => {
  it.each([
    ['0ms', 0],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  it.each(['', '30', 's', '30 s', '1.5h', '-1s', '30S', '1h30m', '30sec', '999999999999999d', '30s\n'])(
    'takes %j for no duration',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
});

describe('sizes', () => {
  it.each([
    ['0B', 0],
    ['512B', 512],
    ['64KiB', 65_536],
    ['8MiB', 8_388_608],
    ['2GiB', 2_147_483_648],
    ['1TiB', 1_099_511_627_776],
  ])('reads %s', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(['', '64', '64KB', '64kib', '64 KiB', '1.5GiB', '-1B', 'KiB'])('takes %j for no size', (text) => {
    expect(parseSize(text)).toBeUndefined();
  });

  it('never gives a number that is not exact', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 0n, max: 10n ** 15n }),
        fc.constantFrom('B', 'KiB', 'MiB', 'GiB', 'TiB'),
        (n, unit) => {
          const bytes = parseSize(`${n}${unit}`);
          return bytes === undefined || Number.isSafeInteger(bytes);
        },
      ),
    );
  });
});
