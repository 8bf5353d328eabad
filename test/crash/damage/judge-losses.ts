/**
 * What docs/delivery-guarantees.md promises of a store with a damaged file, stream by stream. Of every record that was
 * acknowledged and not delivered before:
 *
 * 1. It arrives, or is told to be lost: it is set aside as damaged, or its seq lies in a gap with reason `corruption`.
 * 2. Of what the file itself still counts the number is exact: gaps that give a number give as many as are lost up to the
 *    last seq that the file counted.
 * 3. A gap without a number (`count` 0) speaks only of what the file does not count: of seqs behind the last that it
 *    counted, or of any when its counts or its positions cannot be read.
 * 4. Nobody knows, so nothing need be told: of what stood behind the cut in a write-ahead log that was cut, or in its last
 *    commit when that is damaged. Both lie behind the last seq that the file counts.
 * 5. A damaged `state.db` loses no record.
 */

import type { Gap } from '../../../src/core/gap.ts';
import type { Seq } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import { recordName, type Told } from './told.ts';
import type { Wreck } from './wreck.ts';

/** Of one stream: what the damaged file says of it before anybody repairs anything. */
export interface Known {
  readonly lastSeq: Seq;
  readonly cursor: Seq;
}

export interface Losses {
  readonly stream: Stream;
  /** Acknowledged. */
  readonly promised: readonly Seq[];
  /** Everything up to there was delivered before. */
  readonly settledUpTo: Seq;
  /** Undefined when it cannot be read. */
  readonly known: Known | undefined;
  readonly told: Told;
  readonly wreck: Wreck;
}

export interface LossVerdict {
  readonly lostCount: number;
  /** Of these: set aside, or in a gap. */
  readonly toldCount: number;
  /** Of these: as rule 4 has it. */
  readonly hiddenCount: number;
  readonly problems: readonly string[];
}

/** Records that the workload stores at once. */
const ONE_COMMIT = 64 * 5;

export function judgeLosses(losses: Losses): LossVerdict {
  const { stream, promised, settledUpTo, told, known, wreck } = losses;
  const gaps = told.gaps.filter((gap) => gap.stream === stream && gap.reason === 'corruption');
  const missing = promised.filter((seq) => !told.arrived.has(recordName(stream, seq)));
  const lost = missing.filter((seq) => seq > settledUpTo);
  const inNoReject = lost.filter((seq) => !told.rejected.has(recordName(stream, seq)));
  const untold = inNoReject.filter((seq) => !gaps.some((gap) => spans(gap, seq)));
  const hidden = untold.filter((seq) => isBehind(seq, known) && mayBeHidden(wreck, untold.length));
  const problems = [
    ...(hidden.length < untold.length ? [`${untold.length - hidden.length} records lost without a word`] : []),
    ...(wreck.file === 'state.db' && lost.length > 0 ? [`${lost.length} records lost with state.db`] : []),
    ...countProblems(losses, gaps, inNoReject),
    ...gaps
      .filter((gap) => gap.count === 0 && known !== undefined && (gap.first_seq ?? 0) <= known.lastSeq)
      .map((gap) => `no number is given from ${gap.first_seq} on, but up to ${known?.lastSeq} all were counted`),
  ];
  return {
    lostCount: lost.length,
    toldCount: lost.length - untold.length,
    hiddenCount: hidden.length,
    problems: problems.map((problem) => `${stream}: ${problem}`),
  };
}

/** What was delivered before counts too where the file does not know of it any more. */
function countProblems(
  { promised, known, told, stream }: Losses,
  gaps: readonly Gap[],
  lost: readonly Seq[],
): string[] {
  if (known === undefined) return [];
  const isCounted = (seq: Seq): boolean => seq > known.cursor && seq <= known.lastSeq;
  const least = lost.filter(isCounted).length;
  const most = promised.filter(isCounted).filter((seq) => !told.arrived.has(recordName(stream, seq))).length;
  const count = gaps.reduce((sum, gap) => sum + gap.count, 0);
  if (count >= least && count <= most) return [];
  return [`gaps say that ${count} of those that were counted are lost, but ${least} are`];
}

function spans({ first_seq: first, last_seq: last }: Gap, seq: Seq): boolean {
  return first !== null && last !== null && seq >= first && seq <= last;
}

function isBehind(seq: Seq, known: Known | undefined): boolean {
  return known !== undefined && seq > known.lastSeq;
}

function mayBeHidden({ kind, file }: Wreck, count: number): boolean {
  if (file !== 'log.db') return false;
  return kind === 'cut_wal' || (kind === 'flip_bits_of_wal' && count <= ONE_COMMIT);
}
