import { describe, expect, it } from 'vitest';
import { ageText, countText, plural, sizeText, tableLines } from '../../../src/cli/format.ts';

describe('what people read', () => {
  it.each([
    [0, '0 s'],
    [0.9, '0 s'],
    [59.9, '59 s'],
    [60, '1 min'],
    [61, '1 min 1 s'],
    [3599, '59 min 59 s'],
    [3600, '1 h'],
    [86_400 + 3600 + 60, '1 d 1 h'],
    [86_400 + 60, '1 d'],
    [400 * 86_400, '400 d'],
  ])('%d seconds are %s', (seconds, text) => {
    expect(ageText(seconds)).toBe(text);
  });

  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1 KiB'],
    [1536, '1.5 KiB'],
    [12.4 * 2 ** 20, '12.4 MiB'],
    [512 * 2 ** 20, '512 MiB'],
    [2 * 2 ** 30, '2 GiB'],
    [5000 * 2 ** 40, '5000 TiB'],
  ])('%d bytes are %s', (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });

  it('counts in groups of three, and knows one from many', () => {
    expect([countText(1_234_567), plural(1, 'client'), plural(0, 'client'), plural(1200, 'record')]).toEqual([
      '1,234,567',
      '1 client',
      '0 clients',
      '1,200 records',
    ]);
  });

  it('aligns a table', () => {
    const rows = [
      ['name', 'count', 'note'],
      ['a', '1', ''],
      ['longer', '1,000', 'x'],
    ];
    expect(tableLines(rows, { right: [1] })).toEqual(['name    count  note', 'a           1', 'longer  1,000  x']);
  });
});
