import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, metrics, readings } from '../../../support/decode.ts';

const columns = ['t', 'h', 'mode'];

describe('csv', () => {
  it('names its fields by the columns, one reading per line', () => {
    expect(readings('csv', '21.5,40,eco\r\n22, +.5 ,"a, ""b"""\n\n', { columns })).toEqual([
      { metrics: { t: 21.5, h: 40, mode: 'eco' }, observedAt: null },
      { metrics: { t: 22, h: 0.5, mode: 'a, "b"' }, observedAt: null },
    ]);
  });

  it('may have another separator, and a decimal comma', () => {
    expect(metrics('csv', '21,5;-0,25;x,y', { columns, separator: ';', decimal: ',' })).toEqual({
      t: 21.5,
      h: -0.25,
      mode: 'x,y',
    });
    expect(metrics('csv', '1\t\teco', { columns, separator: '\t' })).toEqual({ t: 1, h: null, mode: 'eco' });
    expect(metrics('csv', '1 2 3', { columns, separator: ' ' })).toEqual({ t: 1, h: 2, mode: 3 });
  });

  it('leaves out columns named _, and takes the time from the one that is named', () => {
    const at = Date.UTC(2026, 2, 4, 5, 6, 7);
    expect(
      readings('csv', '2026-03-04 05:06:07,x,1\n1772600767,y,true', { columns: ['when', '_', 'a'], time: 'when' }),
    ).toEqual([
      { metrics: { a: 1 }, observedAt: at },
      { metrics: { a: true }, observedAt: at },
    ]);
  });

  it('has null where a field is empty or no number', () => {
    expect(metrics('csv', ',nan,-INF', { columns })).toEqual({ t: null, h: null, mode: null });
  });

  it('has text where a field is quoted, as key=value has', () => {
    const quoted = '"0017","","true"';
    expect(metrics('csv', quoted, { columns })).toEqual({ t: '0017', h: '', mode: 'true' });
    expect(metrics('csv', '"21,5"', { columns: ['t'], separator: ';', decimal: ',' })).toEqual({ t: '21,5' });
    expect(metrics('key=value', 't="0017" h="" mode="true"')).toEqual({ t: '0017', h: '', mode: 'true' });
  });

  it('stands below the metric of its route', () => {
    expect(metrics('csv', '1', { columns: ['t'], metric: 'room' })).toEqual({ 'room.t': 1 });
  });

  it.each([
    ['1,2', 'wrong_column_count'],
    ['1,2,3,4', 'wrong_column_count'],
    ['1,2,"x', 'invalid_csv'],
    ['1,2,"x"y', 'invalid_csv'],
    ['1e400,2,3', 'out_of_range'],
    ['\n \n', 'empty'],
  ])('refuses %j: %s', (payload, refused) => {
    expect(decoded('csv', payload, { columns })).toEqual({ refused });
  });

  it('takes a batch as a whole or not at all, and no larger than 10,000 lines', () => {
    expect(decoded('csv', '1,2,3\n1,2', { columns })).toEqual({ refused: 'wrong_column_count' });
    expect(decoded('csv', '1\n'.repeat(10_001), { columns: ['a'] })).toEqual({ refused: 'too_many_in_batch' });
    expect(readings('csv', '1\n'.repeat(10_000), { columns: ['a'] })).toHaveLength(10_000);
  });

  it('gives back what a careful printer wrote', () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0);
    const text = fc.string();
    const print = (value: string | number) =>
      typeof value === 'number' ? String(value) : `"${value.replaceAll('"', '""')}"`;
    fc.assert(
      fc.property(fc.tuple(number, text), fc.constantFrom(',', ';', '\t'), (row, separator) => {
        const got = metrics('csv', row.map(print).join(separator), { columns: ['a', 'b'], separator });
        expect(got['a'] === row[0]).toBe(true);
        expect(got['b']).toBe(row[1]);
      }),
    );
  });
});
