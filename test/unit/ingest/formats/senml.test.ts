import { Buffer } from 'node:buffer';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decoded, metrics, NOW, readings } from '../../../support/decode.ts';

const LABELS: Readonly<Record<string, number>> = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  bv: -5,
  bs: -6,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  s: 5,
  t: 6,
  ut: 7,
  vd: 8,
};

type Pack = readonly Readonly<Record<string, unknown>>[];

const json = (pack: Pack) => Buffer.from(` ${JSON.stringify(pack)}\n`);
const cbor = (pack: Pack) =>
  Buffer.from(
    encode(pack.map((record) => new Map(Object.entries(record).map(([key, value]) => [LABELS[key] ?? key, value])))),
  );

describe.each([
  ['JSON', json],
  ['CBOR', cbor],
] as const)('SenML in %s', (_, packed) => {
  it('is one value', () => {
    expect(readings('senml', packed([{ n: 'urn:dev:ow:10e2073a01080063', u: 'Cel', v: 23.1 }]))).toEqual([
      { metrics: { 'urn:dev:ow:10e2073a01080063': 23.1 }, observedAt: null },
    ]);
  });

  it('resolves names, times and values by the base fields that hold', () => {
    const pack = [
      { bn: 'urn:dev:mac:0024befffe804ff1/', bt: 1_320_067_464, bu: 'A', n: 'voltage', u: 'V', v: 120.1 },
      { n: 'current', t: -5, v: 1.2 },
      { n: 'current', t: -4, bv: 1, v: 0.5 },
      { bn: 'other-', n: 'x', vb: true },
    ];
    const at = 1_320_067_464_000;
    expect(readings('senml', packed(pack))).toEqual([
      { metrics: { 'urn:dev:mac:0024befffe804ff1/voltage': 120.1 }, observedAt: at },
      { metrics: { 'urn:dev:mac:0024befffe804ff1/current': 1.2 }, observedAt: at - 5000 },
      { metrics: { 'urn:dev:mac:0024befffe804ff1/current': 1.5 }, observedAt: at - 4000 },
      { metrics: { 'other-x': true }, observedAt: at },
    ]);
  });

  it('gathers the values of one time in one reading', () => {
    const pack = [
      { bn: 'a:', bt: -60, n: 't', v: 1 },
      { n: 'h', v: 2 },
      { n: 'mode', vs: 'eco' },
      { n: 'raw', vd: 'AQI' },
    ];
    expect(readings('senml', packed(pack))).toEqual([
      { metrics: { 'a:t': 1, 'a:h': 2, 'a:mode': 'eco', 'a:raw': 'AQI' }, observedAt: NOW - 60_000 },
    ]);
  });

  it('begins another reading when a name comes again', () => {
    expect(
      readings(
        'senml',
        packed([
          { n: 'a', v: 1 },
          { n: 'a', v: 2 },
        ]),
      ).map(({ metrics: all }) => all),
    ).toEqual([{ a: 1 }, { a: 2 }]);
  });

  it('has sums beside values', () => {
    expect(
      metrics(
        'senml',
        packed([
          { bs: 10, n: 'energy', v: 1, s: 5 },
          { n: 'total', s: 1 },
        ]),
      ),
    ).toEqual({
      energy: 1,
      'energy.sum': 15,
      'total.sum': 11,
    });
  });

  it('says the units of its values', () => {
    const pack = [
      { bu: 'Cel', n: 'a', v: 1 },
      { n: 'b', v: 2 },
      { n: 'h', u: '%RH', v: 3 },
    ];
    expect(decoded('senml', packed(pack))).toMatchObject({ readings: [{ units: { a: 'Cel', b: 'Cel', h: '%RH' } }] });
  });

  it('leaves the base name to the device when that is asked for', () => {
    const result = decoded(
      'senml',
      packed([
        { bn: 'urn:dev:x:1:', n: 't', v: 1 },
        { bn: 'urn:dev:x:2', v: 2 },
      ]),
      {
        baseIsDevice: true,
      },
    );
    expect(result).toMatchObject({
      readings: [
        { base: 'urn:dev:x:1:', metrics: { t: 1 } },
        { base: 'urn:dev:x:2', metrics: { value: 2 } },
      ],
    });
  });

  it('ignores fields that it does not know, but for those that must be understood', () => {
    expect(metrics('senml', packed([{ n: 'a', v: 1, ut: 60, colour: 'red' }]))).toEqual({ a: 1 });
    expect(decoded('senml', packed([{ n: 'a', v: 1, colour_: 'red' }]))).toEqual({ refused: 'senml_not_understood' });
    expect(decoded('senml', packed([{ bver: 11, n: 'a', v: 1 }]))).toEqual({ refused: 'senml_not_understood' });
    expect(metrics('senml', packed([{ bver: 10, n: 'a', v: 1 }]))).toEqual({ a: 1 });
  });

  it.each([
    [[], 'empty'],
    [[{ bn: 'a' }], 'empty'],
    [[{ n: 'a' }], 'invalid_senml'],
    [[{ n: 'a', v: 'x' }], 'invalid_senml'],
    [[{ n: 'a', v: 1, vs: 'x' }], 'invalid_senml'],
    [[{ v: 1 }], 'bad_metric_name'],
    [[{ n: '-a', v: 1 }], 'bad_metric_name'],
    [[{ n: 'a b', v: 1 }], 'bad_metric_name'],
    [[{ n: 'a', v: 1, t: 1e15 }], 'bad_ts'],
  ] as const)('refuses %j: %s', (pack, refused) => {
    expect(decoded('senml', packed(pack))).toEqual({ refused });
  });

  it('gives back what was packed', () => {
    const values = fc.uniqueArray(
      fc.record({
        n: fc.string({ unit: fc.constantFrom(...'abcXYZ019'), minLength: 1, maxLength: 8 }),
        v: fc.double({ noNaN: true, noDefaultInfinity: true }),
      }),
      { minLength: 1, maxLength: 10, selector: ({ n }) => n },
    );
    fc.assert(
      fc.property(values, (pack) => {
        const got = metrics('senml', packed(pack));
        expect(Object.keys(got)).toHaveLength(pack.length);
        for (const { n, v } of pack) expect(got[n] === v).toBe(true);
      }),
    );
  });
});

describe('SenML', () => {
  it('has bytes as in JSON, from CBOR too', () => {
    // [{0: "a", 8: h'fbff'}]
    expect(metrics('senml', Buffer.from('81a20061610842fbff', 'hex'))).toEqual({ a: '-_8' });
    expect(metrics('senml', '[{"n":"a","vd":"-_8"}]')).toEqual({ a: '-_8' });
  });

  it('is UTF-8', () => {
    const broken = Buffer.from('[{"n":"a","vs":"\xff"}]', 'latin1');
    expect(decoded('senml', broken)).toEqual({ refused: 'not_utf8' });
    expect(decoded('senml', Buffer.from('81a20061610361ff', 'hex'))).toEqual({ refused: 'not_utf8' });
  });

  it.each(['{}', '{"n":"a","v":1}', '1', 'null', '"x"', '[1]', '[null]', '[[]]'])('is no %s', (text) => {
    expect(decoded('senml', text)).toEqual({ refused: 'invalid_senml' });
  });

  it('is no half of a pack', () => {
    expect(decoded('senml', '[{"n":"a"')).toEqual({ refused: 'invalid_json' });
    expect(decoded('senml', Buffer.from('81a1', 'hex'))).toEqual({ refused: 'invalid_senml' });
  });
});
