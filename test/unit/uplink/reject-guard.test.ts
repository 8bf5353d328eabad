import { describe, expect, it } from 'vitest';
import type { Outcome } from '../../../src/core/upstream.ts';
import { RejectGuard } from '../../../src/uplink/reject-guard.ts';
import { storedRecords } from '../../support/stored-record.ts';

const RECORDS = storedRecords(1, 100);

/** All records up to `upTo` are done, those with these seqs rejected. */
function outcome(upTo: number, rejected: readonly number[]): Outcome {
  const reject = (seq: number) => ({ seq, reason: 'invalid_record', detail: 'no key' });
  return { upTo, rejected: rejected.map(reject), error: null };
}

const seqs = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, index) => from + index);

describe('RejectGuard', () => {
  it('lets single rejects pass', () => {
    const judged = outcome(100, [5, 50, 51]);
    expect(new RejectGuard().judge(RECORDS, judged)).toBe(judged);
  });

  it('lets twenty in a row pass', () => {
    const judged = outcome(100, seqs(11, 30));
    expect(new RejectGuard().judge(RECORDS, judged)).toBe(judged);
  });

  it('stops behind the twentieth when everything is rejected', () => {
    const { upTo, rejected, error } = new RejectGuard().judge(RECORDS, outcome(100, seqs(1, 100)));
    expect(upTo).toBe(20);
    expect(rejected.map(({ seq }) => seq)).toEqual(seqs(1, 20));
    expect(error).toMatchObject({ code: 'too_many_rejects', retryable: false });
  });

  it('stops behind the twentieth of a row that began in earlier batches', () => {
    const guard = new RejectGuard();
    guard.judge(storedRecords(1, 15), outcome(15, seqs(1, 15)));
    expect(guard.judge(storedRecords(16, 15), outcome(30, seqs(16, 30)))).toMatchObject({ upTo: 20 });
  });

  it('sets nothing more aside however often the rest is offered again', () => {
    const guard = new RejectGuard();
    guard.judge(RECORDS, outcome(100, seqs(1, 100)));
    const rest = RECORDS.slice(20);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const judged = guard.judge(rest, outcome(41, seqs(21, 41)));
      expect(judged).toMatchObject({ upTo: 20, rejected: [], error: { code: 'too_many_rejects' } });
    }
  });

  it('goes on once a record is delivered', () => {
    const guard = new RejectGuard();
    guard.judge(RECORDS, outcome(100, seqs(1, 100)));
    const mended = outcome(100, []);
    expect(guard.judge(RECORDS.slice(20), mended)).toBe(mended);
    expect(guard.judge(storedRecords(101, 20), outcome(120, seqs(101, 120))).error).toBeNull();
  });

  it('takes a delivered record behind a long row as proof that the records were at fault', () => {
    const judged = outcome(100, seqs(10, 60));
    expect(new RejectGuard().judge(RECORDS, judged)).toBe(judged);
  });

  it('keeps the reason why the rest stayed', () => {
    const judged = { ...outcome(3, [2]), error: null };
    expect(new RejectGuard().judge(RECORDS, judged)).toBe(judged);
  });
});
