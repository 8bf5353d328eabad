import type { Seq, StoredRecord } from '../../core/record.ts';
import type { Outcome } from '../../core/upstream.ts';

/**
 * What one topic has of a lane's records beyond the lane's cursor: the cursor stands before the first record of the
 * batch that any topic does not take, and at every attempt the batch is offered whole. Kept in memory; after a start
 * those records are sent again. Ends before the first reject, which only the log makes final.
 */
export class DeliveredPart {
  #upTo: Seq = 0;

  /** Sends what is not there yet of `records`, which begin behind `after`; the outcome is that of all of them. */
  async complete(
    after: Seq,
    records: readonly StoredRecord[],
    send: (after: Seq, rest: readonly StoredRecord[]) => Promise<Outcome>,
  ): Promise<Outcome> {
    const known = Math.max(after, Math.min(this.#upTo, records.at(-1)?.seq ?? after));
    const rest = known > after ? records.filter(({ seq }) => seq > known) : records;
    if (rest.length === 0) return { upTo: known, rejected: [], error: null };
    const outcome = await send(known, rest);
    this.#upTo = Math.max(this.#upTo, known, lastBeforeReject(outcome, rest) ?? 0);
    return outcome;
  }
}

function lastBeforeReject({ upTo, rejected: [reject] }: Outcome, records: readonly StoredRecord[]): Seq | undefined {
  return reject === undefined ? upTo : records.findLast(({ seq }) => seq < reject.seq)?.seq;
}
