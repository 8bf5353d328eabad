import { describe, expect, it } from 'vitest';
import { TextPattern } from '../../../../src/core/text-pattern.ts';
import { decoded, metrics, readings } from '../../../support/decode.ts';

function pattern(expression: string) {
  return { pattern: new TextPattern(expression) };
}

describe('regex', () => {
  it('takes the named groups, in their order, and no others', () => {
    const scale = pattern('^(?<state>ST|US),(?<kind>GS|NT),([+-])(?<weight> *[0-9.]+) ?kg');
    expect(Object.entries(metrics('regex', 'ST,GS,+  12.50 kg\r', scale))).toEqual([
      ['state', 'ST'],
      ['kind', 'GS'],
      ['weight', 12.5],
    ]);
  });

  it('finds the first place that matches, in several lines too', () => {
    expect(metrics('regex', 'hello\nT=21.5 H=40\nT=22 H=41', pattern('T=(?<t>\\S+) H=(?<h>\\S+)'))).toEqual({
      t: 21.5,
      h: 40,
    });
  });

  it('leaves out a group that took no part; one that is empty is null', () => {
    const either = pattern('^(?:a(?<a>\\d*)|b(?<b>\\d*))$');
    expect(metrics('regex', 'a', either)).toEqual({ a: null });
    expect(metrics('regex', 'b7', either)).toEqual({ b: 7 });
  });

  it('takes the time from the group that is named, and puts metric before the others', () => {
    const options = { ...pattern('(?<at>\\S+) (?<t>\\S+)'), time: 'at', metric: 'room' };
    expect(readings('regex', '2026-03-04T05:06:07Z 21', options)).toEqual([
      { metrics: { 'room.t': 21 }, observedAt: Date.UTC(2026, 2, 4, 5, 6, 7) },
    ]);
  });

  it('refuses what does not match, and what is no text', () => {
    expect(decoded('regex', 'x', pattern('(?<t>\\d+)'))).toEqual({ refused: 'no_match' });
    expect(decoded('regex', Buffer.from([0xff]), pattern('(?<t>.*)'))).toEqual({ refused: 'not_utf8' });
  });

  it('answers in time where the expression is one that takes others for ever', () => {
    expect(decoded('regex', `${'a'.repeat(5_000)}!`, pattern('^(?<t>(a+)+)$'))).toEqual({ refused: 'no_match' });
  });

  it.each(['(?<a>x', '(?<a>x)(?<a>y)', '(?=x)(?<a>x)', '(?<a>x)\\1'])('does not know %j', (expression) => {
    expect(() => new TextPattern(expression)).toThrow();
  });
});
