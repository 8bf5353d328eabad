import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { shortestFloat32 } from '../../../src/core/shortest-float.ts';
import { StructLayout } from '../../../src/core/struct-layout.ts';

/** Values that each letter gives back. */
const VALUES: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  b: fc.integer({ min: -128, max: 127 }),
  B: fc.integer({ min: 0, max: 255 }),
  '?': fc.boolean(),
  h: fc.integer({ min: -32_768, max: 32_767 }),
  H: fc.integer({ min: 0, max: 65_535 }),
  i: fc.integer(),
  l: fc.integer(),
  I: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  L: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  q: fc.maxSafeInteger(),
  Q: fc.maxSafeNat(),
  e: fc.constantFrom(0, 0.5, -2, 65_504),
  f: fc.float({ noNaN: true, noDefaultInfinity: true }).map(shortestFloat32),
  d: fc.double({ noNaN: true, noDefaultInfinity: true }),
};

describe('a layout of bytes', () => {
  it('reads the values that it wrote, in both orders', () => {
    const item = fc
      .constantFrom(...Object.keys(VALUES))
      .chain((letter) => fc.tuple(fc.constant(letter), VALUES[letter] as fc.Arbitrary<unknown>));
    fc.assert(
      fc.property(fc.constantFrom('<', '>'), fc.array(item, { minLength: 1, maxLength: 8 }), (order, items) => {
        const layout = new StructLayout(order + items.map(([letter]) => `x${letter}`).join(''));
        const values = items.map(([, value]) => value);
        const bytes = layout.write(values);
        expect(bytes).toHaveLength(layout.byteCount);
        expect(layout.read(bytes)).toEqual(values);
      }),
    );
  });

  it('puts zeros behind a text, and where nothing is', () => {
    expect(new StructLayout('<B2x4s').write([7, 'ab']).toString('hex')).toBe('07000061620000');
  });

  it.each([
    ['<B', [256], 'value 1 must be a whole number from 0 to 255'],
    ['<Bh', [1, -32_769], 'value 2 must be a whole number from -32768 to 32767'],
    ['<B', [1.5], 'value 1 must be a whole number from 0 to 255'],
    ['<B', ['1'], 'value 1 must be a number'],
    ['<Q', [2 ** 53], 'value 1 must be a whole number from 0 to 9007199254740991'],
    ['<?', [2], 'value 1 must be true or false'],
    ['<f', [1e39], 'value 1 must be a number that is not too large for its place'],
    ['<e', [1e5], 'value 1 must be a number that is not too large for its place'],
    ['<d', [Number.NaN], 'value 1 must be a number'],
    ['<3s', ['äö'], 'value 1 must be text of at most 3 bytes'],
    ['<3s', [3], 'value 1 must be text of at most 3 bytes'],
  ])('%s has no place for %j: %s', (layout, values, problem) => {
    expect(() => new StructLayout(layout).write(values)).toThrow(problem);
  });
});
