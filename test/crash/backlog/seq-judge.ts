/** Compares what is stored with what arrived, record by record, however many there are. */

import type { Seq } from '../../../src/core/record.ts';
import { SeqSet } from '../../../src/store/damage/seq-set.ts';

export interface SeqArrival {
  readonly partition: number;
  readonly seq: Seq;
}

export interface SeqVerdict {
  readonly storedCount: number;
  /** Different seqs. */
  readonly arrivedCount: number;
  /** Stored, and never arrived. */
  readonly lostCount: number;
  readonly lostExamples: readonly Seq[];
  /** Arrivals of a seq that had arrived before. */
  readonly repeatedCount: number;
  /** Arrived, and not stored. */
  readonly strangeCount: number;
  /** First arrivals that do not ascend within their partition. */
  readonly disorderedCount: number;
}

const MAX_EXAMPLES = 5;

/** Takes a bit of memory for each record. */
export async function judgeSeqs(arrivals: AsyncIterable<SeqArrival>, stored: Iterable<Seq>): Promise<SeqVerdict> {
  const seen = new SeqSet();
  const last = new Map<number, Seq>();
  let [arrivedCount, repeatedCount, disorderedCount] = [0, 0, 0];
  for await (const { partition, seq } of arrivals) {
    if (!seen.add(seq)) {
      repeatedCount += 1;
      continue;
    }
    arrivedCount += 1;
    if (seq < (last.get(partition) ?? 0)) disorderedCount += 1;
    last.set(partition, seq);
  }
  let [storedCount, lostCount] = [0, 0];
  const lostExamples: Seq[] = [];
  for (const seq of stored) {
    storedCount += 1;
    if (!seen.add(seq)) continue;
    lostCount += 1;
    if (lostExamples.length < MAX_EXAMPLES) lostExamples.push(seq);
  }
  const strangeCount = arrivedCount - (storedCount - lostCount);
  return { storedCount, arrivedCount, lostCount, lostExamples, repeatedCount, strangeCount, disorderedCount };
}
