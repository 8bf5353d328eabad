import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrameFault, FrameGuard } from '../../../../src/sources/mqtt/frame-guard.ts';
import { packet } from '../../../support/mqtt-raw-client.ts';

function feed(guard: FrameGuard, bytes: Buffer, cuts: readonly number[]): FrameFault | null {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [index, from] of places.entries()) {
    const fault = guard.check(bytes.subarray(from, places[index + 1] ?? bytes.length));
    if (fault !== null) return fault;
  }
  return null;
}

describe('the frame guard', () => {
  it('lets packets pass up to the limit, header included, however the stream is cut', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 20_000 }), { maxLength: 8 });
    fc.assert(
      fc.property(
        sizes,
        fc.array(fc.nat(), { maxLength: 20 }),
        fc.integer({ min: 2, max: 20_004 }),
        (all, cuts, max) => {
          const packets = all.map((size) => packet(0x30, Buffer.alloc(size, 0xff)));
          const expected = packets.some(({ length }) => length > max) ? 'packet_too_large' : null;
          expect(feed(new FrameGuard(max), Buffer.concat(packets), cuts)).toBe(expected);
        },
      ),
    );
  });

  it('knows where the last packet ends that is complete in a chunk', () => {
    const sizes = fc.array(fc.nat(300), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(sizes, fc.nat(), fc.nat(), (all, one, other) => {
        const ends: number[] = [];
        const bytes = Buffer.concat(all.map((size) => packet(0x30, Buffer.alloc(size))));
        all.reduce((end, size) => ends[ends.push(end + packet(0x30, Buffer.alloc(size)).length) - 1] ?? 0, 0);
        const guard = new FrameGuard(1_000);
        const cut = one % (bytes.length + 1);
        const stop = cut + (other % (bytes.length - cut + 1));
        guard.check(bytes.subarray(0, cut));
        expect(guard.completeEnd).toBe(ends.findLast((end) => end <= cut) ?? 0);
        guard.check(bytes.subarray(cut, stop));
        const last = ends.findLast((end) => end > cut && end <= stop);
        expect(guard.completeEnd).toBe(last === undefined ? 0 : last - cut);
      }),
    );
  });

  it('knows a packet that is too large by its header alone', () => {
    expect(new FrameGuard(1_000).check(Buffer.from('30ffffff7f', 'hex'))).toBe('packet_too_large');
    expect(new FrameGuard(1_000).check(Buffer.from('30ff', 'hex'))).toBeNull();
  });

  it('finds a remaining length of more than four bytes malformed', () => {
    expect(new FrameGuard(1_000).check(Buffer.from('3080808080', 'hex'))).toBe('malformed_length');
  });

  it('gives the same verdict on any bytes, however they are cut', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.array(fc.nat(), { maxLength: 20 }), (bytes, cuts) => {
        const whole = new FrameGuard(200).check(bytes);
        expect(feed(new FrameGuard(200), Buffer.from(bytes), cuts)).toBe(whole);
      }),
    );
  });
});
