import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeTelemetry } from '../../../../src/ingest/formats/json.ts';
import type { Decoded, Reading } from '../../../../src/ingest/formats/reading.ts';
import { decodeScalar } from '../../../../src/ingest/formats/text.ts';
import { jsonText, metricsText } from '../../../support/json-text.ts';

function telemetry(text: string): Decoded {
  return decodeTelemetry(Buffer.from(text), text);
}

function readingsOf(decoded: Decoded): readonly Reading[] {
  if ('refused' in decoded) throw new Error(`refused: ${decoded.refused}`);
  return decoded.readings;
}

function textOf(reading: Reading | undefined): string {
  return Buffer.from(reading?.value ?? []).toString();
}

const REFUSED = { refused: expect.stringMatching(/^[a-z][a-z0-9_]*$/) };

describe('telemetry', () => {
  it('is an object of metrics, its bytes unchanged', () => {
    const text = ' {"temperature":21.50, "ok":true,\n"mode":"eco","fault":null} ';
    const [reading, ...more] = readingsOf(telemetry(text));
    expect(more).toEqual([]);
    expect(textOf(reading).trim()).toBe(text.trim());
    expect(reading?.observedAt).toBeNull();
    expect({ ...reading?.metrics }).toEqual({ temperature: 21.5, ok: true, mode: 'eco', fault: null });
  });

  it('keeps the bytes of every good object, numbers and white space included', () => {
    fc.assert(
      fc.property(metricsText, (text) => {
        const decoded = telemetry(text);
        if ('readings' in decoded) expect(decoded.readings.map(textOf)).toEqual([text]);
        else expect(text).toMatch(/1e400|1e999|"ts"/);
      }),
    );
  });

  it('keeps the bytes of every element of a batch', () => {
    const elements = ['{"t":1.0}', '{ "t" : 2 , "ts":"2026-03-04T05:06:07Z" }', '{"t":12345678901234567890}'];
    const readings = readingsOf(telemetry(`[ ${elements.join(' ,\n')}]\n`));
    expect(readings.map(textOf)).toEqual(elements);
    expect(readings.map(({ observedAt }) => observedAt)).toEqual([null, Date.UTC(2026, 2, 4, 5, 6, 7), null]);
    expect(readings.map(({ metrics }) => metrics['t'])).toEqual([1, 2, Number('12345678901234567890')]);
  });

  it('takes the time of observation from ts, and leaves ts in the bytes', () => {
    for (const ts of ['1700000000', '1700000000000', '"2023-11-14T22:13:20Z"', '"2023-11-14T23:13:20+01:00"']) {
      const text = `{"t":1,"ts":${ts}}`;
      const [reading] = readingsOf(telemetry(text));
      expect(reading?.observedAt).toBe(1_700_000_000_000);
      expect(textOf(reading)).toBe(text);
      expect(Object.keys(reading?.metrics ?? {})).toEqual(['t']);
    }
  });

  it('is refused when its ts is no time', () => {
    for (const ts of ['"yesterday"', 'true', '{}', '[]', '1e400', '"2026-02-30"'])
      expect(telemetry(`{"t":1,"ts":${ts}}`)).toEqual(REFUSED);
  });

  it('is refused when it is neither an object nor a batch of objects', () => {
    for (const text of ['', ' ', '1', '"x"', 'null', 'true', 'nan', '{', '{"t":}', "{'t':1}", '{"t":NaN}', '{"t":1}x'])
      expect(telemetry(text)).toEqual(REFUSED);
  });

  it('takes a batch as a whole or not at all', () => {
    for (const text of ['[]', '[1]', '[null]', '[[]]', '[{"t":1},2]', '[{"t":1},{"t":2,"ts":"x"}]', '[{"t":1},]'])
      expect(telemetry(text)).toEqual(REFUSED);
  });

  it('takes hostile names for names', () => {
    const [reading] = readingsOf(telemetry('{"__proto__":1,"constructor":2,"toString":"x","hasOwnProperty":null}'));
    expect(Object.entries(reading?.metrics ?? {})).toEqual([
      ['__proto__', 1],
      ['constructor', 2],
      ['toString', 'x'],
      ['hasOwnProperty', null],
    ]);
    expect(({} as Record<string, unknown>)['constructor']).toBe(Object);
  });

  it('is not confused by a prototype that brings a ts', () => {
    const decoded = telemetry('{"t":1,"__proto__":{"ts":1700000000}}');
    if ('readings' in decoded) expect(decoded.readings[0]?.observedAt).toBeNull();
    expect(telemetry('{"t":1,"ts":1700000000,"__proto__":5}')).toMatchObject({
      readings: [{ observedAt: 1_700_000_000_000 }],
    });
  });

  it('never says a metric is infinite', () => {
    for (const text of ['{"t":1e400}', '{"t":-1e400}', '[{"t":1e400}]']) {
      const decoded = telemetry(text);
      if ('readings' in decoded)
        for (const { metrics } of decoded.readings) expect(metrics['t']).not.toBeTypeOf('number');
    }
  });

  it('judges any JSON without falling over, and keeps what is no scalar out of the metrics', () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    const hostile = [deep, `{"t":${deep}}`, `[{"t":${deep}}]`, `${'{"a":'.repeat(40_000)}1${'}'.repeat(40_000)}`];
    const judge = (text: string) => {
      const decoded = telemetry(text);
      if ('refused' in decoded) {
        expect(decoded).toEqual(REFUSED);
        return;
      }
      for (const reading of decoded.readings)
        for (const value of Object.values(reading.metrics))
          expect(value === null || typeof value !== 'object').toBe(true);
    };
    for (const text of hostile) judge(text);
    fc.assert(fc.property(fc.oneof(jsonText, fc.string()), judge));
  });
});

describe('a scalar', () => {
  const storedText = (text: string, metric = 'm') => textOf(readingsOf(decodeScalar(metric, text))[0]);

  it.each([
    ['21.5', 21.5],
    ['-3', -3],
    ['0', 0],
    ['1.0', 1],
    ['1e3', 1000],
    ['  21.5\r\n', 21.5],
    ['+5', 5],
    ['.5', 0.5],
    ['5.', 5],
    ['007', 7],
    ['true', true],
    ['false', false],
    ['null', null],
    ['on', 'on'],
    ['"on"', 'on'],
    ['"21.5"', '21.5'],
    ['21.5 C', '21.5 C'],
    ['2026-03-04', '2026-03-04'],
    ['name', 'name'],
    ['info', 'info'],
    ['ü漢😀', 'ü漢😀'],
    ['"half', '"half'],
    ['a"b\\c', 'a"b\\c'],
    ['a\u0000b', 'a\u0000b'],
    ['"\\ud800"', '\ud800'],
  ])('%j means %j', (text, value) => {
    const [reading] = readingsOf(decodeScalar('m', text));
    expect(reading).toMatchObject({ observedAt: null, metrics: { m: value } });
    expect(JSON.parse(textOf(reading))).toEqual({ m: value });
  });

  it('keeps the digits that the device sent', () => {
    expect(storedText('1.50')).toContain('1.50');
    expect(storedText('12345678901234567890')).toContain('12345678901234567890');
  });

  it.each(['nan', 'NaN', 'NAN', '-nan', ' nan '])('%j is refused as nan', (text) => {
    expect(decodeScalar('m', text)).toEqual({ refused: 'nan' });
  });

  it.each(['inf', 'INF', '-inf', '+inf', 'Infinity', '-Infinity', 'inf\n'])('%j is refused as inf', (text) => {
    expect(decodeScalar('m', text)).toEqual({ refused: 'inf' });
  });

  it.each(['1e400', '-1e400', '+1e999', '9'.repeat(400)])('%j, too large to be a number, is out of range', (text) => {
    expect(decodeScalar('m', text)).toEqual({ refused: 'out_of_range' });
  });

  it.each(['', ' ', '\r\n'])('%j is refused as empty', (text) => {
    expect(decodeScalar('m', text)).toEqual({ refused: 'empty' });
  });

  it.each(['{"a":1}', '[1]', '{"a":', '[1', '{}', '[]'])('%j is no scalar', (text) => {
    expect(decodeScalar('m', text)).toEqual(REFUSED);
  });

  it('becomes an object of one metric, whatever the text and the name', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary', minLength: 1 }), (text, metric) => {
        const decoded = decodeScalar(metric, text);
        if ('refused' in decoded) {
          expect(decoded).toEqual(REFUSED);
          return;
        }
        const [reading] = decoded.readings;
        const parsed = JSON.parse(textOf(reading)) as Record<string, unknown>;
        expect(Object.keys(parsed)).toEqual([metric]);
        expect(Object.entries(reading?.metrics ?? {})).toEqual(Object.entries(parsed));
      }),
    );
  });

  it('is not called ts, which would make it a time of observation', () => {
    expect(decodeScalar('ts', '1700000000')).toEqual({ refused: 'bad_metric_name' });
  });

  it('may be called __proto__', () => {
    expect(storedText('1', '__proto__')).toBe('{"__proto__":1}');
    expect(Object.keys(readingsOf(decodeScalar('__proto__', '1'))[0]?.metrics ?? {})).toEqual(['__proto__']);
  });
});
