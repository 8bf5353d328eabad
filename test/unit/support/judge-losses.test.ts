import { describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import { judgeLosses, type Losses } from '../../crash/damage/judge-losses.ts';
import { recordName } from '../../crash/damage/told.ts';

const PROMISED = Array.from({ length: 100 }, (_, index) => index + 1);
const PAGES = { kind: 'overwrite_pages', file: 'log.db' } as const;
const CUT = { kind: 'cut_wal', file: 'log.db' } as const;
const SWAPPED = { kind: 'swap_wal', file: 'log.db' } as const;
const LAST_COMMIT = { kind: 'flip_bits_of_wal', file: 'log.db' } as const;

function gap(first: number, last: number, count: number, changes: Partial<Gap> = {}): Gap {
  const at = new Date(0).toISOString();
  const where = { uplink: 'plant', epoch: 'e', device: null, stream: 'telemetry', bytes: 0 } as const;
  const when = { first_time: at, last_time: at };
  return { ...where, ...when, first_seq: first, last_seq: last, count, reason: 'corruption', ...changes };
}

/** 100 records were accepted, 10 delivered before; the file counts all of them; `lost` do not arrive. */
function losses(
  lost: readonly number[],
  changes: Partial<Losses> & { gaps?: readonly Gap[]; rejected?: number[] } = {},
) {
  const { gaps = [], rejected = [], ...rest } = changes;
  const names = (seqs: readonly number[]) => new Set(seqs.map((seq) => recordName('telemetry', seq)));
  const arrived = names(PROMISED.filter((seq) => seq > 10 && !lost.includes(seq)));
  return judgeLosses({
    stream: 'telemetry',
    promised: PROMISED,
    settledUpTo: 10,
    known: { lastSeq: 100, done: 10 },
    told: { arrived, rejected: names(rejected), gaps },
    wrecks: [PAGES],
    ...rest,
  });
}

describe('the judge of damaged stores', () => {
  it('finds nothing wrong when everything arrives', () => {
    expect(losses([])).toEqual({ lostCount: 0, toldCount: 0, hiddenCount: 0, problems: [] });
  });

  it('takes a reject, and a gap that has their number, for a word about what is lost', () => {
    const verdict = losses([20, 30, 40], { rejected: [20], gaps: [gap(11, 100, 2)] });
    expect(verdict).toEqual({ lostCount: 3, toldCount: 3, hiddenCount: 0, problems: [] });
  });

  it.each([
    ['says nothing', []],
    ['speaks of another stream', [gap(11, 100, 1, { stream: 'events' })]],
    ['speaks of other seqs', [gap(21, 100, 0)]],
    ['has another reason', [gap(11, 100, 1, { reason: 'max_age' })]],
  ])('finds a loss of which the store %s', (_, gaps) => {
    expect(losses([20], { gaps }).problems).toContain('telemetry: 1 records lost without a word');
  });

  it('finds a loss of what stood in the damaged file whole, although it is told; not beside another write-ahead log', () => {
    const whole = new Set([20, 21].map((seq) => recordName('telemetry', seq)));
    const gaps = [gap(11, 100, 1)];
    expect(losses([20], { gaps, whole }).problems).toEqual(['telemetry: 1 records lost that stand there whole']);
    expect(losses([30], { gaps, whole }).problems).toEqual([]);
    expect(losses([20], { gaps, whole, wrecks: [CUT] }).problems).toEqual([]);
  });

  it.each([1, 3])('finds gaps that say %s for two that are lost', (count) => {
    const { problems } = losses([20, 30], { gaps: [gap(11, 100, count)] });
    expect(problems).toEqual([`telemetry: gaps say that ${count} of those that were counted are lost, but 2 are`]);
  });

  it('lets gaps count what had been delivered since the time of an older write-ahead log, and of no other damage', () => {
    const names = (seqs: readonly number[]) => new Set(seqs.map((seq) => recordName('telemetry', seq)));
    const all = Array.from({ length: 100 }, (_, index) => index + 201);
    const told = {
      arrived: names([...PROMISED, ...all]),
      arrivedBefore: names(PROMISED),
      rejected: names([]),
      gaps: [gap(11, 100, 90)],
    };
    const of = (changes: object) => losses([], { promised: all, told, wrecks: [SWAPPED], ...changes }).problems;
    expect(of({})).toEqual([]);
    expect(of({ wrecks: [PAGES] })).toHaveLength(1);
    expect(of({ told: { ...told, gaps: [gap(11, 100, 91)] } })).toHaveLength(1);
  });

  it('lets gaps count what was upstream already, but not settled', () => {
    const names = (seqs: readonly number[]) => new Set(seqs.map((seq) => recordName('telemetry', seq)));
    const told = {
      arrived: names(PROMISED.filter((seq) => seq !== 20)),
      arrivedBefore: names([11, 12]),
      rejected: names([]),
      gaps: [gap(11, 100, 3)],
    };
    expect(losses([], { told }).problems).toEqual([]);
    expect(losses([], { told: { ...told, gaps: [gap(11, 100, 4)] } }).problems).toHaveLength(1);
  });

  it('allows a gap without a number only behind what the file counts', () => {
    const known = { lastSeq: 60, done: 10 };
    const lost = PROMISED.filter((seq) => seq > 60);
    expect(losses(lost, { known, gaps: [gap(61, 1_000, 0)] }).problems).toEqual([]);
    expect(losses(lost, { known, gaps: [gap(60, 1_000, 0)] }).problems).toEqual([
      'telemetry: no number is given from 60 to 1000, but up to 60 all were counted',
    ]);
    expect(losses(lost, { known: undefined, gaps: [gap(1, 1_000, 0)] }).problems).toEqual([]);
    expect(losses(lost, { known: undefined }).problems).toEqual(['telemetry: 40 records lost without a word']);
  });

  it('allows one over what was passed and not all delivered, when the ranges that say what of it was cannot be read', () => {
    const known = { lastSeq: 100, done: 10, unclearUpTo: 50 };
    const ofRest = gap(11, 100, 1);
    expect(losses([20], { known, gaps: [gap(11, 50, 0), ofRest] }).problems).toEqual([]);
    for (const wrong of [gap(10, 50, 0), gap(11, 51, 0)])
      expect(losses([20], { known, gaps: [wrong, ofRest] }).problems).toHaveLength(1);
  });

  it('needs no word about what nobody can know of', () => {
    const known = { lastSeq: 60, done: 10 };
    const lost = PROMISED.filter((seq) => seq > 60);
    for (const wreck of [CUT, LAST_COMMIT]) {
      expect(losses(lost, { known, wrecks: [wreck] })).toMatchObject({ hiddenCount: 40, problems: [] });
      expect(losses([20], { known, wrecks: [wreck] }).problems).toContain('telemetry: 1 records lost without a word');
    }
    expect(losses(lost, { known }).problems).toEqual(['telemetry: 40 records lost without a word']);
  });

  it('does not take more than a commit for the last one', () => {
    const promised = Array.from({ length: 1_000 }, (_, index) => index + 1);
    const untold = { promised, known: { lastSeq: 100, done: 10 } };
    expect(losses([], { ...untold, wrecks: [LAST_COMMIT] }).problems).toEqual([
      'telemetry: 900 records lost without a word',
    ]);
    expect(losses([], { ...untold, wrecks: [CUT] }).problems).toEqual([]);
  });

  it('allows no loss with a damaged state.db', () => {
    const { problems } = losses([20], { wrecks: [{ ...PAGES, file: 'state.db' }], gaps: [gap(11, 100, 1)] });
    expect(problems).toEqual(['telemetry: 1 records lost with state.db']);
  });
});
