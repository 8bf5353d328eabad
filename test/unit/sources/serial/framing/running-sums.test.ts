import fc from 'fast-check';
import { expect, it } from 'vitest';
import { CHECKSUM_TYPES } from '../../../../../src/core/checksum-type.ts';
import { CHECKSUMS } from '../../../../../src/sources/serial/framing/checksums.ts';
import { RunningSums } from '../../../../../src/sources/serial/framing/running-sums.ts';

const stream = fc.uint8Array({ minLength: 1, maxLength: 3_000 }).map((bytes) => Buffer.from(bytes));
/** Each begins so many bytes behind the one before, most within it. */
const parts = fc.array(fc.tuple(fc.nat(40), fc.nat(1_500)), { maxLength: 60 });

it.each(CHECKSUM_TYPES)('sums of %s are those of the parts, however they overlap', (type) => {
  const checksum = CHECKSUMS[type];
  fc.assert(
    fc.property(stream, parts, (bytes, steps) => {
      const sums = new RunningSums(checksum);
      let at = 0;
      for (const [behind, length] of steps) {
        at += behind;
        const part = bytes.subarray(at, at + length);
        expect(sums.sum(part, at)).toBe(checksum.sum(part));
      }
    }),
  );
});

it('sums each byte of parts that overlap twice at most', () => {
  let stepCount = 0;
  const counting = {
    ...CHECKSUMS.xor,
    sum: (bytes: Uint8Array) => {
      stepCount += bytes.length;
      return CHECKSUMS.xor.sum(bytes);
    },
    step: (state: number, byte: number) => {
      stepCount += 1;
      return CHECKSUMS.xor.step(state, byte);
    },
  };
  const bytes = Buffer.alloc(20_000, 2);
  const sums = new RunningSums(counting);
  for (let at = 0; at + 4_096 <= bytes.length; at += 1) sums.sum(bytes.subarray(at, at + 4_096), at);
  expect(stepCount).toBeLessThanOrEqual(2 * bytes.length);
});
