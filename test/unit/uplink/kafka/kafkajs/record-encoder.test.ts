import { createRequire } from 'node:module';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type EncodedRecord,
  encodeRecord,
  type PlainRecord,
} from '../../../../../src/uplink/kafka/kafkajs/record-encoder.ts';

const theirs = createRequire(import.meta.url)('kafkajs/src/protocol/recordBatch/record/v0') as (
  record: PlainRecord,
) => EncodedRecord;

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array)),
  fc.string({ unit: 'grapheme', maxLength: 100 }),
);
const record = fc.record({
  offsetDelta: fc.nat({ max: 100_000 }),
  timestampDelta: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
  key: fc.option(bytes),
  value: fc.option(bytes),
  headers: fc.dictionary(fc.string({ maxLength: 20 }), bytes, { maxKeys: 8 }),
});

describe('the record encoder', () => {
  it('makes byte for byte what kafkajs makes', () => {
    fc.assert(
      fc.property(record, (plain) => {
        expect(encodeRecord(plain)?.buffer.equals(theirs(plain).buffer)).toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  it('encodes a record without key, headers or times as kafkajs does', () => {
    const plain = { value: Buffer.from('x') };
    expect(encodeRecord(plain)?.buffer).toEqual(theirs(plain).buffer);
  });

  it('leaves to kafkajs what only kafkajs knows', () => {
    expect(encodeRecord({ value: 'x', headers: { list: ['a', 'b'] } })).toBeUndefined();
    expect(encodeRecord({ value: 'x', headers: { missing: undefined } })).toBeUndefined();
    expect(encodeRecord({ value: 'x', timestampDelta: Number.NaN })).toBeUndefined();
  });
});
