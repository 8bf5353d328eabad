import { expect } from 'vitest';
import { seqOfEventId } from '../uplink-options.ts';
import { BREAKAGES } from './broken.ts';
import type { Answer } from './fake-kafka.ts';
import type { ProducedRecord } from './produced.ts';

/** Each way to break an answer to Produce, to records that were taken and to such that were not. */
export const BROKEN_ANSWERS: readonly (readonly [kind: Answer['kind'], taken: boolean])[] = [
  ...BREAKAGES,
  'silence' as const,
].flatMap((kind) => [[kind, true] as const, [kind, false] as const]);

export function seqOf({ headers }: ProducedRecord): number {
  return seqOfEventId(headers['ce_id']);
}

/** Refuses every request that holds the record. */
export function refusing(seq: number, code: number): Answer {
  return { kind: 'refuse', code, when: ({ records }) => records.some((record) => seqOf(record) === seq) };
}

/** Each is there once, and for each key in order. */
export function expectEachOnce(records: readonly ProducedRecord[], seqs: readonly number[]): void {
  expect(records.map(seqOf).toSorted((a, b) => a - b)).toEqual(seqs);
  for (const list of Map.groupBy(records, ({ key }) => key).values()) {
    expect(list.map(seqOf)).toEqual(list.map(seqOf).toSorted((a, b) => a - b));
  }
}
