import { describe, expect, it } from 'vitest';
import { judgeSeqs, type SeqArrival } from '../../crash/backlog/seq-judge.ts';

const BLOCK = 3_000_000;
const WELL = { lostCount: 0, lostExamples: [], repeatedCount: 0, strangeCount: 0, disorderedCount: 0 };

const seqs = (count: number): number[] => Array.from({ length: count }, (_, index) => BLOCK + index + 1);

function judge(arrived: readonly number[], stored: readonly number[], partitions = 3) {
  const arrivals = (async function* (): AsyncGenerator<SeqArrival> {
    for (const seq of arrived) yield { partition: seq % partitions, seq };
  })();
  return judgeSeqs(arrivals, stored);
}

describe('the judge of seqs', () => {
  it('finds nothing wrong where every record has arrived, in order within its partition', async () => {
    const byPartition = seqs(100_000).toSorted((a, b) => (a % 3) - (b % 3) || a - b);
    expect(await judge(byPartition, seqs(100_000))).toEqual({ ...WELL, storedCount: 100_000, arrivedCount: 100_000 });
  });

  it('finds a lost record beside a doubled one, though as many have arrived as are stored', async () => {
    const arrived = seqs(1_000).with(500, BLOCK + 1);
    const verdict = await judge(arrived, seqs(1_000));
    expect(verdict).toEqual({
      ...WELL,
      storedCount: 1_000,
      arrivedCount: 999,
      lostCount: 1,
      lostExamples: [BLOCK + 501],
      repeatedCount: 1,
    });
  });

  it('finds a record that is not stored', async () => {
    const verdict = await judge([...seqs(10), BLOCK + 100], seqs(10));
    expect(verdict).toMatchObject({ lostCount: 0, strangeCount: 1 });
  });

  it('finds what is out of order within a partition, and takes no repeat for that', async () => {
    expect(await judge([...seqs(9), BLOCK + 1], seqs(9))).toMatchObject({ repeatedCount: 1, disorderedCount: 0 });
    expect(await judge([1, 3, 2], [1, 2, 3], 1)).toMatchObject({ disorderedCount: 1 });
  });

  it('names a few of what is lost, and counts all', async () => {
    const verdict = await judge([], seqs(1_000));
    expect(verdict).toMatchObject({ lostCount: 1_000, lostExamples: seqs(5) });
  });
});
