import type { Gap } from '../../../src/core/gap.ts';
import type { Seq } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';

/** Where a drain writes down, before it settles it, what it has delivered and what it was told is lost; of all starts together. */
export const TOLD_FILE = 'told';

export type ToldLine =
  | { readonly arrived: Seq; readonly stream: Stream }
  | { readonly rejected: Seq; readonly stream: Stream }
  | { readonly gapSeq: Seq; readonly gap: Gap };

/** What a store gave up: the records that arrived, those set aside as damaged, and the gaps. */
export interface Told {
  readonly arrived: ReadonlySet<string>;
  /** Of these, what was upstream when the damage came, whether it was settled or not. */
  readonly arrivedBefore?: ReadonlySet<string>;
  readonly rejected: ReadonlySet<string>;
  readonly gaps: readonly Gap[];
  /** Those of earlier damages. */
  readonly gapsBefore?: readonly Gap[];
}

export function recordName(stream: Stream, seq: Seq): string {
  return `${stream} ${seq}`;
}

/** Of a name; undefined when it is of another stream. */
export function seqIn(stream: Stream): (name: string) => Seq | undefined {
  const prefix = `${stream} `;
  return (name) => (name.startsWith(prefix) ? Number(name.slice(prefix.length)) : undefined);
}

export function readTold(text: string): Told {
  const arrived = new Set<string>();
  const rejected = new Set<string>();
  /** By seq: one that is sent again is still the same. */
  const gaps = new Map<Seq, Gap>();
  for (const row of text.split('\n').filter((line) => line !== '')) {
    const line = JSON.parse(row) as ToldLine;
    if ('arrived' in line) arrived.add(recordName(line.stream, line.arrived));
    else if ('rejected' in line) rejected.add(recordName(line.stream, line.rejected));
    else gaps.set(line.gapSeq, line.gap);
  }
  return { arrived, rejected, gaps: [...gaps.values()] };
}
