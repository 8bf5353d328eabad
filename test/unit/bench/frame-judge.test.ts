import { describe, expect, it } from 'vitest';
import { judgeFrames, type StoredFrame } from '../../bench/serial/frame-judge.ts';
import { benchLines, type Line, sentBytes, wholeFrames } from '../../bench/serial/lines.ts';

const ALL = { sentCount: 5, storedCount: 5, lostCount: 0, doubledCount: 0, damagedCount: 0 };
const [LINE] = benchLines() as [Line];

/** Frames 3 to 7 were sent in the measured time. */
function judged(...stored: readonly StoredFrame[]): ReturnType<typeof judgeFrames> {
  return judgeFrames([{ device: LINE.name, first: 3, last: 7, stored: (number) => LINE.stored(number) }], stored);
}

function frames(...numbers: readonly number[]): StoredFrame[] {
  return numbers.map((number) => ({ device: LINE.name, value: LINE.stored(number) }));
}

describe('the judge of the serial benchmark', () => {
  it('finds nothing wrong when each frame is stored once, and leaves out others that were sent', () => {
    expect(judged(...frames(3, 4, 5, 6, 7))).toEqual(ALL);
    expect(judged(...frames(1, 2, 3, 4, 5, 6, 7, 8))).toEqual(ALL);
  });

  it('counts frames that are missing, wherever they are', () => {
    expect(judged(...frames(4, 6))).toEqual({ ...ALL, storedCount: 2, lostCount: 3 });
    expect(judged()).toEqual({ ...ALL, storedCount: 0, lostCount: 5 });
  });

  it('counts frames that are stored again', () => {
    expect(judged(...frames(3, 4, 4, 5, 6, 7, 4))).toEqual({ ...ALL, storedCount: 7, doubledCount: 2 });
  });

  it('counts what is not what was sent, and the frame that it was as lost', () => {
    const [good] = frames(5) as [StoredFrame];
    const damaged = { ...good, value: good.value.replace('"humidity":40', '"humidity":41') };
    expect(judged(...frames(3, 4, 6, 7), damaged)).toEqual({ ...ALL, lostCount: 1, damagedCount: 1 });
    expect(judged(...frames(3, 4, 5, 6, 7), { ...good, device: 'other' })).toMatchObject({ damagedCount: 1 });
    expect(judged(...frames(3, 4, 5, 6, 7), { ...good, value: '{}' })).toMatchObject({ damagedCount: 1 });
  });
});

describe('the lines of the serial benchmark', () => {
  it('carry whole frames that say what their records are to hold', () => {
    for (const line of benchLines()) {
      const { bytes, beginnings } = sentBytes(line, 0.02);
      const found: Buffer[] = [];
      const bad: string[] = [];
      line.framing
        .decoder({ good: (payload) => found.push(Buffer.from(payload)), bad: (reason) => bad.push(reason) })
        .feed(bytes);
      expect(bad).toEqual([]);
      expect(found).toEqual(beginnings.map((_, index) => line.payload(index + 1)));
      expect(bytes.length).toBeGreaterThanOrEqual(0.02 * line.bytesPerS);
    }
  });

  it('are judged by the frames that were sent as a whole', () => {
    const beginnings = [0, 10, 20, 30, 40];
    expect(wholeFrames(beginnings, 0, 50)).toEqual({ first: 2, last: 4 });
    expect(wholeFrames(beginnings, 5, 40)).toEqual({ first: 3, last: 4 });
    expect(wholeFrames(beginnings, 10, 39)).toEqual({ first: 3, last: 3 });
  });
});
