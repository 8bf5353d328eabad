import { describe, expect, it } from 'vitest';
import { CHECKSUM_TYPES, type ChecksumType } from '../../../../../src/core/checksum-type.ts';
import { Check, type CheckOptions } from '../../../../../src/sources/serial/framing/check.ts';

/** Of "123456789", as the catalogue of parametrised CRC algorithms has them. */
const KNOWN: Readonly<Record<ChecksumType, string>> = {
  crc8: 'f4',
  'crc16-modbus': '4b37',
  'crc16-ccitt': '29b1',
  crc32: 'cbf43926',
  xor: '31',
  sum8: 'dd',
};

const check = (type: ChecksumType, options: Partial<CheckOptions> = {}) =>
  new Check({ type, place: 'end', order: 'big', form: 'binary', ...options });

const DIGITS = Buffer.from('123456789');

describe('a checksum', () => {
  it.each(CHECKSUM_TYPES)('%s is the known one', (type) => {
    expect(check(type).append(DIGITS).subarray(9).toString('hex')).toBe(KNOWN[type]);
  });

  it('stands where the options say, in their order and form', () => {
    expect(check('crc16-modbus', { order: 'little' }).append(DIGITS).toString('latin1')).toBe('1234567897K');
    expect(check('crc16-modbus', { place: 'start', form: 'hex' }).append(DIGITS).toString('latin1')).toBe(
      '4B37123456789',
    );
  });

  it.each(CHECKSUM_TYPES.flatMap((type) => [[type, 'binary'] as const, [type, 'hex'] as const]))(
    '%s in %s form is taken off again, and not when a bit is wrong',
    (type, form) => {
      for (const place of ['start', 'end'] as const) {
        for (const order of ['big', 'little'] as const) {
          const subject = check(type, { form, place, order });
          const bytes = subject.append(DIGITS);
          expect(subject.strip(bytes)?.toString()).toBe('123456789');
          bytes.writeUInt8(bytes.readUInt8(4) ^ 1, 4);
          expect(subject.strip(bytes)).toBeUndefined();
        }
      }
    },
  );

  it('in hex is read in either case, and no other text is one', () => {
    const subject = check('crc16-ccitt', { form: 'hex' });
    expect(subject.strip(Buffer.from('12345678929b1'))?.toString()).toBe('123456789');
    expect(subject.strip(Buffer.from('123456789 9b1'))).toBeUndefined();
  });

  it('does not fit fewer bytes than it has', () => {
    expect(check('crc32').strip(Buffer.from('abc'))).toBeUndefined();
  });
});
