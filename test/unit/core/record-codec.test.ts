import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bootTimeOf,
  encodeRecord,
  isIntact,
  isOfDevice,
  isTimeTrusted,
  maxEncodedBytes,
  readRecord,
  receivedAtOf,
  sealRecord,
  writeRecord,
} from '../../../src/core/record-codec.ts';
import { anyRecord, anySeq } from '../../support/record-arbitrary.ts';
import { newRecord } from '../../support/records.ts';

function flip(body: Buffer, bit: number): Buffer {
  const copy = Buffer.from(body);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}

describe('a record in bytes', () => {
  it('reads back as it was', () => {
    fc.assert(
      fc.property(anyRecord, anySeq, (record, seq) => {
        const body = encodeRecord(record, seq);
        expect(isIntact(body, seq)).toBe(true);
        expect(readRecord(record.stream, seq, body)).toEqual({ ...record, seq });
      }),
      { numRuns: 300 },
    );
  });

  it('needs no more bytes than were foretold', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        expect(encodeRecord(record, 1).length).toBeLessThanOrEqual(maxEncodedBytes(record));
      }),
    );
  });

  it('is written where it is told, and touches nothing else', () => {
    fc.assert(
      fc.property(anyRecord, anySeq, fc.nat(50), (record, seq, offset) => {
        const target = Buffer.alloc(offset + maxEncodedBytes(record) + 8, 0xa5);
        const end = writeRecord(target, offset, record);
        expect(end).toBeLessThanOrEqual(offset + maxEncodedBytes(record));
        sealRecord(target.subarray(offset, end), seq);
        expect(Buffer.from(target.subarray(offset, end))).toEqual(encodeRecord(record, seq));
        expect([...target.subarray(0, offset), ...target.subarray(end)].every((byte) => byte === 0xa5)).toBe(true);
      }),
    );
  });

  it('is not intact with any one bit flipped', () => {
    const body = encodeRecord(newRecord({ observedAt: 1, eventType: 'door' }), 17);
    for (let bit = 0; bit < body.length * 8; bit += 1) expect(isIntact(flip(body, bit), 17)).toBe(false);
  });

  it('is not intact with bytes missing or added', () => {
    const body = encodeRecord(newRecord(), 17);
    for (let length = 0; length < body.length; length += 1) expect(isIntact(body.subarray(0, length), 17)).toBe(false);
    expect(isIntact(Buffer.concat([body, Buffer.alloc(1)]), 17)).toBe(false);
    expect(isIntact(Buffer.alloc(body.length), 17)).toBe(false);
  });

  it('is not intact under any other seq', () => {
    fc.assert(
      fc.property(anySeq, anySeq, (seq, other) => {
        fc.pre(seq !== other);
        expect(isIntact(encodeRecord(newRecord(), seq), other)).toBe(false);
      }),
    );
  });

  it.each([1, 2, 3, 1000])('is not intact under a seq that is %d times 2^32 away', (times) => {
    const body = encodeRecord(newRecord(), 17);
    expect(isIntact(body, 17 + times * 2 ** 32)).toBe(false);
  });

  it('can be sealed again under another seq', () => {
    const body = encodeRecord(newRecord(), 17);
    sealRecord(body, 18);
    expect([17, 18].map((seq) => isIntact(body, seq))).toEqual([false, true]);
  });

  it('tells its time, and if that can be trusted, without being read', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const body = encodeRecord(record, 1);
        expect(receivedAtOf(body)).toBe(record.receivedAt);
        expect(isTimeTrusted(body)).toBe(record.timeQuality !== 'unsynced');
        expect(bootTimeOf(body)).toEqual(record.bootTime);
      }),
    );
  });

  it('tells its device without being read', () => {
    fc.assert(
      fc.property(anyRecord, (record) => {
        const body = encodeRecord(record, 1);
        expect(isOfDevice(body, Buffer.from(record.device))).toBe(true);
        expect(isOfDevice(body, Buffer.from(`${record.device}x`))).toBe(false);
      }),
    );
  });

  it('keeps the layout that files on disk have of a record with a boot time', () => {
    const bootTime = { bootId: '0123456789abcdef0123456789abcdef', uptimeMs: 2 };
    const text = { device: 'd1', eventType: 'e', channel: 'ü', value: Buffer.from('v') };
    const record = newRecord({ ...text, receivedAt: 1, observedAt: 2, timeQuality: 'unsynced', bootTime });
    const expected = [
      '01',
      '87',
      '000000000000f03f',
      '02',
      '0200',
      '0000000000000040',
      '0123456789abcdef0123456789abcdef0000000000000040',
      '0100',
      '6431',
      'c3bc',
      '65',
      '76',
    ];
    expect(encodeRecord(record, 1).subarray(4).toString('hex')).toBe(expected.join(''));
  });

  it('keeps the layout that files on disk have', () => {
    const record = newRecord({
      device: 'd1',
      receivedAt: 1,
      observedAt: 2,
      eventType: 'e',
      timeQuality: 'corrected',
      contentType: 'text/plain',
      channel: 'ü',
      value: Buffer.from('v'),
    });
    const expected = [
      '01',
      '1b',
      '000000000000f03f',
      '02',
      '0200',
      '0000000000000040',
      '0100',
      '6431',
      'c3bc',
      '65',
      '76',
    ];
    expect(encodeRecord(record, 1).subarray(4).toString('hex')).toBe(expected.join(''));
  });
});
