import { Buffer } from 'node:buffer';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, metrics, readings } from '../../../support/decode.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

describe('cbor', () => {
  it('is flattened like JSON', () => {
    expect(metrics('cbor', encode({ room: { t: 21.5, on: true }, list: [1, 'x'], none: null }))).toEqual({
      'room.t': 21.5,
      'room.on': true,
      'list.0': 1,
      'list.1': 'x',
      none: null,
    });
  });

  it('has text where JSON has no word: number keys, bytes', () => {
    // {1: h'0102', "n": 18446744073709551615, "u": undefined}
    expect(metrics('cbor', hex('a30142010261 6e 1bffffffffffffffff 6175 f7'.replaceAll(' ', '')))).toEqual({
      '1': 'AQI=',
      n: 2 ** 64,
      u: null,
    });
  });

  it('as an array is a batch', () => {
    expect(readings('cbor', encode([{ t: 1, ts: 1_772_600_767 }, { t: 2 }]))).toEqual([
      { metrics: { t: 1 }, observedAt: Date.UTC(2026, 2, 4, 5, 6, 7) },
      { metrics: { t: 2 }, observedAt: null },
    ]);
  });

  it('takes the sign for what was no text from devices that send it', () => {
    expect(metrics('cbor', encode({ t: 'ä\ufffd' }))).toEqual({ t: 'ä\ufffd' });
  });

  it('takes a tagged time', () => {
    const payload = Buffer.concat([hex('d9d9f7a2627473c1'), encode(1_772_600_767), hex('617401')]);
    expect(readings('cbor', payload)).toEqual([{ metrics: { t: 1 }, observedAt: Date.UTC(2026, 2, 4, 5, 6, 7) }]);
  });

  it('as a scalar is the value of the metric', () => {
    expect(metrics('cbor', encode(21.5), { metric: 't' })).toEqual({ t: 21.5 });
    expect(decoded('cbor', encode(21.5))).toEqual({ refused: 'not_an_object' });
  });

  it.each([
    ['ff', 'invalid_cbor'],
    ['a1', 'invalid_cbor'],
    ['a1617401 00', 'invalid_cbor'],
    ['a2617401617402', 'invalid_cbor'],
    ['a1f401', 'invalid_cbor'],
    // {1: 1, "1": 2}
    ['a20101613102', 'invalid_cbor'],
    ['a1617461ff', 'not_utf8'],
    ['a161ff01', 'not_utf8'],
    ['a261746261ff617561ef', 'not_utf8'],
    ['a2617463efbfbd617561ff', 'not_utf8'],
    ['a16174c249010000000000000000', 'invalid_cbor'],
    ['a16174fb7ff8000000000000', 'out_of_range'],
    ['a16174f97c00', 'out_of_range'],
    ['80', 'empty'],
    ['a0', 'empty'],
    ['8101', 'not_an_object'],
  ])('refuses %s: %s', (payload, refused) => {
    expect(decoded('cbor', hex(payload.replaceAll(' ', '')))).toEqual({ refused });
  });

  it('gives back what was encoded, at definite and indefinite length', () => {
    const scalar = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.string(),
    );
    const names = fc.string({ unit: fc.constantFrom(...'abcäö_'), minLength: 1, maxLength: 12 });
    const indefinite = (value: object) =>
      Buffer.concat([hex('bf'), ...Object.entries(value).flatMap(([k, v]) => [encode(k), encode(v)]), hex('ff')]);
    fc.assert(
      fc.property(fc.dictionary(names, scalar, { minKeys: 1, maxKeys: 8 }), (sent) => {
        const plain = JSON.parse(JSON.stringify(sent));
        expect(JSON.parse(JSON.stringify(metrics('cbor', encode(sent))))).toEqual(plain);
        expect(JSON.parse(JSON.stringify(metrics('cbor', indefinite(sent))))).toEqual(plain);
      }),
    );
  });
});
