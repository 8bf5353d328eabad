import { describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import { type Entry, problemsOf } from '../../support/accounts.ts';

const entries = (device: string, ...seqs: number[]): Entry[] =>
  seqs.map((seq) => ({ device, stream: 'telemetry', seq }));

function gap(changes: Partial<Gap>): Gap {
  const time = '2026-05-01T00:00:00.000Z';
  return {
    uplink: 'plant',
    epoch: 'e',
    device: 'a',
    stream: 'telemetry',
    first_seq: 1,
    last_seq: 3,
    count: 2,
    bytes: 40,
    first_time: time,
    last_time: time,
    reason: 'max_bytes',
    ...changes,
  };
}

describe('accounts', () => {
  const accepted = [...entries('a', 1, 3, 5), ...entries('b', 2, 4)];

  it('are settled when each record is delivered or in one gap', () => {
    expect(problemsOf(accepted, [...entries('a', 5), ...entries('b', 2, 4)], [gap({})])).toEqual([]);
    const summary = gap({ device: null, last_seq: 4, count: 4 });
    expect(problemsOf(accepted, entries('a', 5), [summary])).toEqual([]);
  });

  it.each([
    ['a loss', entries('b', 2, 4), [gap({})], 'accounted for 0 times: telemetry of a, seq 5'],
    ['a gap that is delivered too', accepted, [gap({})], 'accounted for 2 times: telemetry of a, seq 1'],
    ['a wrong count', [...entries('a', 5), ...entries('b', 2, 4)], [gap({ count: 3 })], '2 records, not 3, in'],
    ['a record twice', [...accepted, ...entries('a', 1)], [], 'something was delivered twice'],
    ['a record from nowhere', [...accepted, ...entries('a', 9)], [], 'never accepted: telemetry of a, seq 9'],
  ])('show %s', (_, delivered, gaps, problem) => {
    expect(problemsOf(accepted, delivered, gaps).join('\n')).toContain(problem);
  });
});
