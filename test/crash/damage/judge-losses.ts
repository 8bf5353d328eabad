/**
 * What docs/delivery-guarantees.md promises of a store with a damaged file, stream by stream. Of every record that was
 * acknowledged and not delivered before:
 *
 * 1. It arrives, or is told to be lost: it is set aside as damaged, or its seq lies in a gap with reason `corruption`.
 * 2. Of what the file itself still counts the number is exact: gaps that give a number give as many as are lost up to the
 *    last seq that the file counted. What had arrived, but was not settled, when the damage came, may be among them;
 *    and what was told or delivered before, when the commit that noted it is lost.
 * 3. A gap without a number (`count` 0) speaks only of what the file does not count: of seqs behind the last that it
 *    counted, or of any when its counts or its positions cannot be read; where its ranges cannot be read, also of those that
 *    the lane has passed and not all delivered.
 * 4. Nobody knows, so nothing need be told: of what stood behind the cut in a write-ahead log that was cut, or in its last
 *    commit when that is damaged. Both lie behind the last seq that the file counts.
 * 5. A damaged `state.db`, or a damaged copy of it, loses no record.
 * 6. What stands in a damaged file whole arrives. Of a write-ahead log that is another one's nobody can say what it hides.
 */

import type { Gap } from '../../../src/core/gap.ts';
import type { Seq } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import { recordName, seqIn, type Told } from './told.ts';
import { isOfWal, type Wreck } from './wreck.ts';

/** Of one stream: what the damaged file says of it before anybody repairs anything. */
export interface Known {
  readonly lastSeq: Seq;
  /** Up to there everything was delivered. */
  readonly done: Seq;
  /** Up to there some of it was: what was not stands in ranges that cannot be read. Absent when they can. */
  readonly unclearUpTo?: Seq;
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
  /** Names of records that stand in the damaged file whole, where that was looked for. */
  readonly whole?: ReadonlySet<string>;
  /** What was damaged, all at once. */
  readonly wrecks: readonly Wreck[];
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
  const { stream, promised, settledUpTo, told, known, wrecks, whole } = losses;
  const gaps = told.gaps.filter((gap) => gap.stream === stream && gap.reason === 'corruption');
  const missing = promised.filter((seq) => !told.arrived.has(recordName(stream, seq)));
  const lost = missing.filter((seq) => seq > settledUpTo);
  const inNoReject = lost.filter((seq) => !told.rejected.has(recordName(stream, seq)));
  const untold = inNoReject.filter((seq) => !gaps.some((gap) => spans(gap, seq)));
  const hidden = untold.filter((seq) => isBehind(seq, known) && mayBeHidden(wrecks, untold.length));
  const givenUp = wrecks.some(isOfWal) ? [] : lost.filter((seq) => whole?.has(recordName(stream, seq)));
  const problems = [
    ...(givenUp.length > 0 ? [`${givenUp.length} records lost that stand there whole`] : []),
    ...(hidden.length < untold.length ? [`${untold.length - hidden.length} records lost without a word`] : []),
    ...(lost.length > 0 && !wrecks.some(isOfLog) ? [`${lost.length} records lost with state.db`] : []),
    ...countProblems(losses, gaps, inNoReject),
    ...gaps
      .filter((gap) => gap.count === 0 && known !== undefined && isOfCounted(gap, known))
      .map(
        (gap) =>
          `no number is given from ${gap.first_seq} to ${gap.last_seq}, but up to ${known?.lastSeq} all were counted`,
      ),
  ];
  return {
    lostCount: lost.length,
    toldCount: lost.length - untold.length,
    hiddenCount: hidden.length,
    problems: problems.map((problem) => `${stream}: ${problem}`),
  };
}

/**
 * An older write-ahead log makes the file count as pending what was told or delivered, and settled, since its time: where that
 * is not found it is told, once more.
 */
function countedAgain(
  { stream, promised, told }: Pick<Losses, 'stream' | 'promised' | 'told'>,
  isCounted: (seq: Seq) => boolean,
): number {
  const toldBefore = countOf(told.gapsBefore?.filter((gap) => gap.stream === stream) ?? []);
  const settled = new Set(told.arrivedBefore);
  for (const seq of promised) settled.delete(recordName(stream, seq));
  return toldBefore + [...settled].map(seqIn(stream)).filter((seq) => seq !== undefined && isCounted(seq)).length;
}

/** What was delivered before counts too where the file does not know of it any more. */
function countProblems(
  { promised, known, told, stream, wrecks }: Losses,
  gaps: readonly Gap[],
  lost: readonly Seq[],
): string[] {
  if (known === undefined) return [];
  const isCounted = (seq: Seq): boolean => seq > known.done && seq <= known.lastSeq;
  const least = lost.filter(isCounted).length;
  const isDelivered = (name: string): boolean => told.arrived.has(name) && told.arrivedBefore?.has(name) !== true;
  const most = promised.filter(isCounted).filter((seq) => !isDelivered(recordName(stream, seq))).length;
  const count = countOf(gaps);
  const again = wrecks.some(isOfWal) ? countedAgain({ stream, promised, told }, isCounted) : 0;
  if (count >= least && count <= most + again) return [];
  return [`gaps say that ${count} of those that were counted are lost, but ${least} are`];
}

function countOf(gaps: readonly Gap[]): number {
  return gaps.reduce((sum, { count }) => sum + count, 0);
}

function spans({ first_seq: first, last_seq: last }: Gap, seq: Seq): boolean {
  return first !== null && last !== null && seq >= first && seq <= last;
}

function isOfCounted({ first_seq: first, last_seq: last }: Gap, { lastSeq, done, unclearUpTo = 0 }: Known): boolean {
  const isUnclear = (first ?? 0) > done && (last ?? 0) <= unclearUpTo;
  return (first ?? 0) <= lastSeq && !isUnclear;
}

function isBehind(seq: Seq, known: Known | undefined): boolean {
  return known !== undefined && seq > known.lastSeq;
}

function isOfLog({ file }: Wreck): boolean {
  return file === 'log.db';
}

function mayBeHidden(wrecks: readonly Wreck[], count: number): boolean {
  return wrecks
    .filter(isOfLog)
    .some(({ kind }) => kind === 'cut_wal' || (kind === 'flip_bits_of_wal' && count <= ONE_COMMIT));
}
