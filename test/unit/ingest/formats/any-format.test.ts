import { Buffer } from 'node:buffer';
import { encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMATS } from '../../../../src/core/format.ts';
import { StructLayout } from '../../../../src/core/struct-layout.ts';
import { TextPattern } from '../../../../src/core/text-pattern.ts';
import { LocalZone } from '../../../../src/ingest/local-zone.ts';
import { isName } from '../../../../src/ingest/name.ts';
import { decoded } from '../../../support/decode.ts';
import { jsonText } from '../../../support/json-text.ts';

const lines = fc
  .array(fc.string({ unit: fc.constantFrom(...'ab1.,;:=&"\n \t-+e\r') }), { maxLength: 20 })
  .map((parts) => parts.join(''));
const senml = fc.array(
  fc.record(
    {
      bn: fc.string(),
      bt: fc.double(),
      n: fc.oneof(fc.string(), fc.constantFrom('a', 'b')),
      t: fc.double(),
      v: fc.double(),
      vs: fc.string(),
      s: fc.double(),
    },
    { requiredKeys: [] },
  ),
  { maxLength: 6 },
);
const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  jsonText.map((text) => Buffer.from(text)),
  lines.map((text) => Buffer.from(text)),
  senml.map((pack) => Buffer.from(JSON.stringify(pack))),
  senml.map((pack) => Buffer.from(encode(pack))),
  jsonText.map((text) => Buffer.from(encode(JSON.parse(text)))),
);
const options = fc.record({
  metric: fc.constantFrom(null, 'm'),
  time: fc.constantFrom('ts', 'a', 'Time'),
  zone: fc.constantFrom(null, new LocalZone('Europe/Berlin')),
  columns: fc.array(fc.constantFrom('a', 'b', 'c', '_'), { minLength: 1, maxLength: 4 }),
  separator: fc.constantFrom(',', ';', '\t', ' '),
  decimal: fc.constantFrom('.', ','),
  pattern: fc.constantFrom(new TextPattern('(?<a>[a-z]+)(?<b>.*)'), new TextPattern('^(?<a>.*)$')),
  layout: fc.constantFrom(new StructLayout('<hI3f'), new StructLayout('>B'), new StructLayout('<3s?')),
  baseIsDevice: fc.boolean(),
} as const);

describe.each(FORMATS)('the format %s', (format) => {
  it('judges any payload without a throw; what it takes is sound', () => {
    fc.assert(
      fc.property(payloads, options, (payload, changes) => {
        const result = decoded(format, payload, { ...changes, metric: format === 'text' ? 'm' : changes.metric });
        if ('refused' in result) {
          expect(result.refused).toMatch(/^[a-z][a-z0-9_]*$/);
          return;
        }
        expect(result.readings.length).toBeGreaterThan(0);
        for (const { metrics, observedAt } of result.readings) {
          expect(Object.keys(metrics).length).toBeGreaterThan(0);
          expect(observedAt === null || new Date(observedAt).getTime() === observedAt).toBe(true);
          for (const [name, value] of Object.entries(metrics)) {
            expect(isName(name)).toBe(true);
            expect(value === null || ['string', 'boolean', 'number'].includes(typeof value)).toBe(true);
            if (typeof value === 'number') expect(Number.isFinite(value)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  it('judges large and deep payloads, and keeps what comes of them within bounds', () => {
    const half = 128 * 1024;
    const many = `{${Array.from({ length: 20_000 }, (_, i) => `"m${i}":1`).join(',')}}`;
    const hostile = [
      '['.repeat(half) + ']'.repeat(half),
      `${'{"a":'.repeat(half / 5)}1${'}'.repeat(half / 5)}`,
      many,
      'a=1 '.repeat(half / 4),
      'a'.repeat(2 * half),
      '"'.repeat(2 * half),
      '\n'.repeat(2 * half),
      '1\n'.repeat(half),
      '9'.repeat(2 * half),
      Buffer.alloc(2 * half, 0x81),
      Buffer.alloc(2 * half, 0xa1),
      Buffer.from('9bffffffffffffffff', 'hex'),
      Buffer.from('5bffffffffffffffff', 'hex'),
    ];
    for (const payload of hostile) {
      const result = decoded(format, payload, { metric: format === 'text' ? 'm' : null, columns: ['a'] });
      if ('refused' in result) continue;
      expect(result.readings.length).toBeLessThanOrEqual(10_000);
      for (const { metrics } of result.readings) expect(Object.keys(metrics).length).toBeLessThanOrEqual(1_000);
    }
  });

  it('refuses an empty payload with that reason', () => {
    expect(decoded(format, '', { metric: format === 'text' ? 'm' : null, columns: ['a'] })).toEqual({
      refused: 'empty',
    });
  });
});
