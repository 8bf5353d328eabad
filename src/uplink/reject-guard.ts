import { SluiceError } from '../core/errors.ts';
import type { StoredRecord } from '../core/record.ts';
import type { Outcome } from '../core/upstream.ts';

/** More rejects in a row than this are a fault of configuration, not of records. */
export const MAX_REJECTS_IN_ROW = 20;

export function tooManyRejects(reason: string): SluiceError {
  return new SluiceError(`more than ${MAX_REJECTS_IN_ROW} records in a row were rejected: ${reason}`, {
    code: 'too_many_rejects',
    hint: 'the upstream takes no record at all: mend its configuration, for example a compacted topic or its size limit; nothing more is set aside until it takes one',
  });
}

/**
 * Keeps a fault of configuration from setting aside a whole backlog: of a row of rejects that no delivered record
 * ends, only the first 20 stand. What is beyond stays in the log, also when it is offered again.
 */
export class RejectGuard {
  #inRow = 0;

  /** The outcome of sending `records`, cut where the row of rejects became too long. */
  judge(records: readonly StoredRecord[], outcome: Outcome): Outcome {
    const reasons = new Map(outcome.rejected.map(({ seq, reason }) => [seq, reason]));
    let inRow = this.#inRow;
    let allowedUpTo: number | undefined;
    let before = records[0] === undefined ? outcome.upTo : records[0].seq - 1;
    for (const { seq } of records) {
      if (seq > outcome.upTo) break;
      if (!reasons.has(seq)) {
        inRow = 0;
        allowedUpTo = undefined;
      } else if (inRow === MAX_REJECTS_IN_ROW) allowedUpTo ??= before;
      else inRow += 1;
      before = seq;
    }
    this.#inRow = inRow;
    if (allowedUpTo === undefined) return outcome;
    const upTo = allowedUpTo;
    const rejected = outcome.rejected.filter(({ seq }) => seq <= upTo);
    return { upTo, rejected, error: tooManyRejects(outcome.rejected.at(-1)?.detail ?? '') };
  }
}
