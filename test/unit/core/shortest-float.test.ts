import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortestFloat16, shortestFloat32 } from '../../../src/core/shortest-float.ts';

describe('a short float', () => {
  it('is the number that was sent, where that had few enough digits', () => {
    const decimals = fc.tuple(fc.integer({ min: -999_999, max: 999_999 }), fc.integer({ min: -20, max: 20 }));
    fc.assert(
      fc.property(decimals, ([digits, exponent]) => {
        const sent = Number(`${digits}e${exponent}`) + 0;
        expect(shortestFloat32(Math.fround(sent))).toBe(sent);
      }),
    );
  });

  it('stands for the same bits', () => {
    fc.assert(
      fc.property(fc.float(), (value) => {
        expect(Math.fround(shortestFloat32(value))).toBe(value);
        const half = Math.f16round(value);
        expect(Math.f16round(shortestFloat16(half))).toBe(half);
      }),
    );
  });
});
