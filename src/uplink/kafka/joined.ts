import type { Seq, StoredRecord } from '../../core/record.ts';
import type { Outcome } from '../../core/upstream.ts';

export interface ShareOutcome {
  readonly records: readonly StoredRecord[];
  readonly outcome: Outcome;
}

/**
 * The outcome of a batch that was sent in shares. It is a prefix of the batch: what a share delivered behind the first
 * record that another one did not is not settled yet.
 */
export function joined(after: Seq, records: readonly StoredRecord[], shares: readonly ShareOutcome[]): Outcome {
  const failed = shares
    .filter(({ outcome }) => outcome.error !== null)
    .map(({ records: share, outcome }) => ({ outcome, first: firstBehind(share, outcome.upTo) }))
    .sort((a, b) => a.first - b.first);
  const [worst] = failed;
  const end = worst?.first ?? Number.POSITIVE_INFINITY;
  const upTo = records.findLast(({ seq }) => seq < end)?.seq ?? after;
  const rejected = shares
    .flatMap(({ outcome }) => outcome.rejected)
    .filter(({ seq }) => seq <= upTo)
    .sort((a, b) => a.seq - b.seq);
  return { upTo, rejected, error: worst?.outcome.error ?? null };
}

/** The first that is not done; infinite when all are. */
function firstBehind(records: readonly StoredRecord[], upTo: Seq): Seq {
  return records.find(({ seq }) => seq > upTo)?.seq ?? Number.POSITIVE_INFINITY;
}
