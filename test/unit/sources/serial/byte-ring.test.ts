import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { ByteRing } from '../../../../src/sources/serial/reading/byte-ring.ts';
import { SeededRandom } from '../../../support/random.ts';

const WHOLE = 16_384;

/** Two ends over the same memory, and counts that begin where it is said. */
function ends(from = 0): { putter: ByteRing; taker: ByteRing } {
  const putter = ByteRing.of(WHOLE);
  new Int32Array(putter.memory).fill(from, 0, 2);
  return { putter, taker: new ByteRing(putter.memory) };
}

describe('a ring of bytes', () => {
  it.each([
    ['at first', 0],
    ['when its counts change their sign', 2 ** 31 - 1000],
    ['when its counts begin anew', -1000],
  ])('gives what was put, in order and in whatever pieces, %s', (_when, from) => {
    const { putter, taker } = ends(from);
    const random = new SeededRandom(5);
    const into = Buffer.alloc(5_000);
    let putCount = 0;
    let takenCount = 0;
    while (takenCount < 10 * WHOLE) {
      const piece = Math.min(random.between(0, 9_000), putter.room);
      putter.put(Uint8Array.from({ length: piece }, (_, index) => (putCount + index) % 251));
      putCount += piece;
      const count = taker.take(into.subarray(0, random.between(0, into.length)));
      for (const byte of into.subarray(0, count)) {
        if (byte !== takenCount % 251) throw new Error(`byte ${takenCount} is ${byte}`);
        takenCount += 1;
      }
    }
    expect(putter.room).toBe(WHOLE - (putCount - takenCount));
  });

  it('takes nothing that it has no room for', () => {
    const { putter, taker } = ends();
    putter.put(new Uint8Array(WHOLE - 1));
    expect(() => putter.put(new Uint8Array(2))).toThrow(RangeError);
    expect(taker.take(Buffer.alloc(2 * WHOLE))).toBe(WHOLE - 1);
  });

  it('tells the one that takes once that the other waits no more, and not before there is room', () => {
    const { putter, taker } = ends();
    putter.put(new Uint8Array(WHOLE));
    expect(putter.waitsForRoom(10)).toBe(true);
    taker.take(Buffer.alloc(9));
    expect(taker.makesRoom()).toBe(false);
    taker.take(Buffer.alloc(1));
    expect([taker.makesRoom(), taker.makesRoom()]).toEqual([true, false]);
  });

  it('lets nobody wait for room that is there', () => {
    const { putter, taker } = ends();
    putter.put(new Uint8Array(WHOLE));
    taker.take(Buffer.alloc(10));
    expect(putter.waitsForRoom(10)).toBe(false);
    expect(taker.makesRoom()).toBe(false);
  });

  it('has an end behind its last byte', () => {
    const { putter, taker } = ends();
    putter.put(Buffer.from('last'));
    putter.end();
    const into = Buffer.alloc(10);
    expect([taker.isEnded, into.toString('latin1', 0, taker.take(into)), taker.take(into)]).toEqual([true, 'last', 0]);
  });
});
