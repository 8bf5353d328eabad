/** Settles accounts: every accepted record is delivered, or stands in exactly one gap whose count is exact. */

import type { Gap } from '../../src/core/gap.ts';
import type { Seq } from '../../src/core/record.ts';
import type { Stream } from '../../src/core/stream.ts';

/** A record, as somebody knows it who is not the store. */
export interface Entry {
  readonly device: string;
  readonly stream: Stream;
  readonly seq: Seq;
}

const nameOf = ({ device, stream, seq }: Entry): string => `${stream} of ${device}, seq ${seq}`;

/** What is wrong; empty when accepted = delivered + gaps, for every device, stream and range of seqs. */
export function problemsOf(accepted: readonly Entry[], delivered: readonly Entry[], gaps: readonly Gap[]): string[] {
  const arrived = new Set(delivered.map(nameOf));
  const known = new Set(accepted.map(nameOf));
  return [
    ...delivered.filter((entry) => !known.has(nameOf(entry))).map((entry) => `never accepted: ${nameOf(entry)}`),
    ...(arrived.size === delivered.length ? [] : ['something was delivered twice']),
    ...accepted.flatMap((entry) => {
      const count = gaps.filter((gap) => isIn(gap, entry)).length + (arrived.has(nameOf(entry)) ? 1 : 0);
      return count === 1 ? [] : [`accounted for ${count} times: ${nameOf(entry)}`];
    }),
    ...gaps
      .filter((gap) => gap.first_seq !== null)
      .flatMap((gap) => {
        const count = accepted.filter((entry) => isIn(gap, entry)).length;
        return count === gap.count ? [] : [`${count} records, not ${gap.count}, in ${JSON.stringify(gap)}`];
      }),
  ];
}

function isIn({ device, stream, first_seq, last_seq }: Gap, entry: Entry): boolean {
  if (first_seq === null || last_seq === null || stream !== entry.stream) return false;
  return (device === null || device === entry.device) && entry.seq >= first_seq && entry.seq <= last_seq;
}
