import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocalZone } from '../../../../src/ingest/local-zone.ts';
import { decoded, metrics, readings } from '../../../support/decode.ts';

const values = (payload: string, changes = {}) => {
  const result = decoded('json', payload, changes);
  if ('refused' in result) throw new Error(result.refused);
  return result.readings.map(({ value }) => (value === null ? null : Buffer.from(value).toString()));
};

describe('JSON of foreign firmware', () => {
  it('is flattened: members and indexes, with dots between', () => {
    expect(metrics('json', '{"AM2301":{"Temperature":21.5,"ok":true},"Power":[1,{"a":2}],"x":null}')).toEqual({
      'AM2301.Temperature': 21.5,
      'AM2301.ok': true,
      'Power.0': 1,
      'Power.1.a': 2,
      x: null,
    });
  });

  it('says nothing with empty objects and arrays', () => {
    expect(metrics('json', '{"a":{},"b":[],"c":[[]],"d":1}')).toEqual({ d: 1 });
    expect(decoded('json', '{"a":{}}')).toEqual({ refused: 'empty' });
  });

  it('keeps its bytes when it is an object of metrics already', () => {
    const flat = ['{"t":1.0}', '{ "t" : 2 , "ts":1700000000 }'];
    expect(values(`[${flat.join(', ')}]`)).toEqual(flat);
    expect(values(' {"t":1.0}\n')).toEqual([' {"t":1.0}\n']);
  });

  it('is written anew when it is nested, named otherwise, or its time is not called ts', () => {
    expect(values('{"a":{"t":1}}')).toEqual([null]);
    expect(values('{"t":1}', { metric: 'm' })).toEqual([null]);
    expect(values('{"t":1,"Time":1700000000}', { time: 'Time' })).toEqual([null]);
    expect(values('{"t":1.0}', { time: 'Time' })).toEqual(['{"t":1.0}']);
  });

  it('takes the time from the member that is named, nested or not', () => {
    const time = Date.UTC(2026, 2, 4, 5, 6, 7);
    const both = { metrics: { t: 1 }, observedAt: time };
    expect(readings('json', '{"Time":"2026-03-04T05:06:07","t":1}', { time: 'Time' })).toEqual([both]);
    expect(readings('json', '{"sys":{"at":1772600767},"t":1}', { time: 'sys.at' })).toEqual([both]);
    const zone = new LocalZone('Europe/Berlin');
    expect(readings('json', '{"Time":"2026-03-04T06:06:07","t":1}', { time: 'Time', zone })).toEqual([both]);
  });

  it('has no time when the clock of its device is not set, or says nothing', () => {
    for (const time of ['"1970-01-01T00:00:23"', '42', 'null', '""']) {
      expect(readings('json', `{"ts":${time},"t":1}`)).toEqual([{ metrics: { t: 1 }, observedAt: null }]);
    }
    expect(decoded('json', '{"ts":"soon","t":1}')).toEqual({ refused: 'bad_ts' });
  });

  it('stands below the metric of its route; a scalar is its value', () => {
    expect(metrics('json', '{"output":true,"temperature":{"tC":41.5}}', { metric: 'switch:0' })).toEqual({
      'switch:0.output': true,
      'switch:0.temperature.tC': 41.5,
    });
    expect(metrics('json', '21.50', { metric: 't' })).toEqual({ t: 21.5 });
    expect(values('21.50', { metric: 't' })).toEqual(['{"t":21.50}']);
    expect(metrics('json', 'ON', { metric: 'relay' })).toEqual({ relay: 'ON' });
    expect(decoded('json', '21.5')).toEqual({ refused: 'not_an_object' });
  });

  it('is refused when two of its values would have one name', () => {
    expect(decoded('json', '{"a.b":1,"a":{"b":2}}')).toEqual({ refused: 'duplicate_metric' });
  });

  it('is refused beyond its bounds', () => {
    expect(decoded('json', `${'{"a":'.repeat(20)}1${'}'.repeat(20)}`)).toEqual({ refused: 'too_deep' });
    expect(decoded('json', `{"${'x'.repeat(129)}":1}`)).toEqual({ refused: 'bad_metric_name' });
    expect(decoded('json', JSON.stringify({ a: Array(1001).fill(1) }))).toEqual({ refused: 'too_many_metrics' });
    expect(metrics('json', JSON.stringify({ a: Array(1000).fill(1) }))).toMatchObject({ 'a.999': 1 });
    expect(decoded('json', '{"a":1e400}')).toEqual({ refused: 'out_of_range' });
  });

  it('takes hostile names for names', () => {
    const flat = metrics('json', '{"a":{"__proto__":1,"constructor":2}}');
    expect(flat).toEqual({ 'a.__proto__': 1, 'a.constructor': 2 });
    expect(Object.entries(metrics('json', '{"__proto__":{"x":1},"toString":3}'))).toEqual([
      ['__proto__.x', 1],
      ['toString', 3],
    ]);
  });

  it('loses no scalar, however it is nested', () => {
    const key = fc.string({ unit: fc.constantFrom(...'abc'), minLength: 1, maxLength: 3 });
    const { tree } = fc.letrec<{ tree: unknown; leaf: number }>((tie) => ({
      leaf: fc.integer(),
      tree: fc.dictionary(key, fc.oneof({ maxDepth: 4 }, tie('leaf'), tie('tree')), { minKeys: 1, maxKeys: 4 }),
    }));
    const leaves = (value: unknown): unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value).flatMap(leaves) : [value];
    fc.assert(
      fc.property(tree, (value) => {
        const all = leaves(value);
        if (all.length > 0) expect(Object.values(metrics('json', JSON.stringify(value)))).toEqual(all);
      }),
    );
  });
});
