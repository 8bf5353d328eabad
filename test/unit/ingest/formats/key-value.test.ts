import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, metrics, readings } from '../../../support/decode.ts';

describe('key=value', () => {
  it.each([
    'temperature=21.5 humidity=40 ok=true',
    'temperature:21.5,humidity:40,ok:true',
    'temperature: 21.5, humidity: 40\r\nok: true\n',
    ' temperature=21.5;humidity=40;ok=true;',
    'temperature=21.5&humidity=40&ok=true',
  ])('takes %j', (payload) => {
    expect(metrics('key=value', payload)).toEqual({ temperature: 21.5, humidity: 40, ok: true });
  });

  it('takes text, quoted when it has blanks; nothing and nan are null', () => {
    expect(metrics('key=value', 'mode=eco name="two words" none= t=nan url=http://x/y at:12:30')).toEqual({
      mode: 'eco',
      name: 'two words',
      none: null,
      t: null,
      url: 'http://x/y',
      at: '12:30',
    });
  });

  it('takes the time from the key that is named', () => {
    expect(readings('key=value', 'at=2026-03-04T05:06:07Z t=1', { time: 'at' })).toEqual([
      { metrics: { t: 1 }, observedAt: Date.UTC(2026, 2, 4, 5, 6, 7) },
    ]);
  });

  it.each([
    ['21.5', 'not_key_value'],
    ['temperature 21.5', 'not_key_value'],
    ['t=1 =2', 'not_key_value'],
    ['t=1=2', 'not_key_value'],
    ['t="x', 'not_key_value'],
    ['t: 21.5 C', 'not_key_value'],
    ['t=1 t=2', 'duplicate_metric'],
    ['t=1e999', 'out_of_range'],
    [' ,; ', 'empty'],
    ['ts=1700000000', 'empty'],
  ])('refuses %j: %s', (payload, refused) => {
    expect(decoded('key=value', payload)).toEqual({ refused });
  });

  it('gives back the numbers that were printed', () => {
    const name = fc.string({ unit: fc.constantFrom(...'abcXYZ_-./'), minLength: 1, maxLength: 10 });
    const pairs = fc.dictionary(name, fc.double({ noNaN: true, noDefaultInfinity: true }), { minKeys: 1 });
    fc.assert(
      fc.property(
        pairs,
        fc.constantFrom('=', ':', ': '),
        fc.constantFrom(' ', ', ', ';', '\n'),
        (sent, sign, between) => {
          const text = Object.entries(sent).map(([key, value]) => `${key}${sign}${value}`);
          for (const [key, value] of Object.entries(metrics('key=value', text.join(between)))) {
            expect(value === sent[key]).toBe(true);
          }
        },
      ),
    );
  });
});
