/** Compares what devices sent with what is in the store. */

export interface SentFrames {
  readonly device: string;
  /** The numbers of its frames, one by one; others, as long as they are good, are not judged. */
  readonly first: number;
  readonly last: number;
  /** What the record of a frame must hold. */
  stored(number: number): string;
}

export interface StoredFrame {
  readonly device: string;
  readonly value: string;
}

export interface FrameVerdict {
  readonly sentCount: number;
  readonly storedCount: number;
  readonly lostCount: number;
  /** Stored once more than sent, each time. */
  readonly doubledCount: number;
  /** Not what any device sent. */
  readonly damagedCount: number;
}

export function judgeFrames(sent: readonly SentFrames[], stored: Iterable<StoredFrame>): FrameVerdict {
  const found = new Map(sent.map((frames) => [frames.device, { frames, seen: new Set<number>() }]));
  let storedCount = 0;
  let doubledCount = 0;
  let damagedCount = 0;
  for (const { device, value } of stored) {
    const { frames, seen } = found.get(device) ?? {};
    const number = numberOf(value);
    const isGood = number > 0 && frames?.stored(number) === value;
    if (isGood && (number < frames.first || number > frames.last)) continue;
    storedCount += 1;
    if (!isGood) damagedCount += 1;
    else if (seen?.has(number)) doubledCount += 1;
    else seen?.add(number);
  }
  const sentCount = sum(sent.map(({ first, last }) => last - first + 1));
  const lostCount = sentCount - sum([...found.values()].map(({ seen }) => seen.size));
  return { sentCount, storedCount, lostCount, doubledCount, damagedCount };
}

/** 0: it bears none. */
function numberOf(value: string): number {
  return Number(/"n":(\d+)/.exec(value)?.[1] ?? 0);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
