import { describe, expect, it } from 'vitest';
import { judgeSlowness, slownessLine } from '../../crash/mqtt/slowness.ts';

const ATTACKS = [
  { attack: 'quick', p99Ms: 20, quietP99Ms: 5 },
  { attack: 'slow', p99Ms: 31, quietP99Ms: 10 },
  { attack: 'within', p99Ms: 300, quietP99Ms: 100 },
  { attack: 'busy', p99Ms: 900, quietP99Ms: 101 },
  { attack: 'thrown-off', p99Ms: null, quietP99Ms: 5 },
];

describe('the judge of slowness', () => {
  it('finds what is slower than three times the quiet, and than what is quick anyway', () => {
    const { judged, problems } = judgeSlowness(ATTACKS, { slowMs: 20, control: false });
    expect(judged).toEqual(['quick', 'slow', 'within']);
    expect(problems).toEqual(['slow: p99 31 ms, 10 ms without']);
    expect(judgeSlowness(ATTACKS, { slowMs: 40, control: false }).problems).toEqual([]);
  });

  it('names what it could not judge', () => {
    const slowness = judgeSlowness(ATTACKS, { slowMs: 20, control: false });
    expect(slowness.unjudged).toEqual(['busy', 'thrown-off']);
    const line = slownessLine(slowness, 20);
    expect(line).toContain('judged in 3 of 5 attacks');
    expect(line).toMatch(/: busy, thrown-off$/);
  });

  it('judges a control on any machine', () => {
    const { unjudged, problems } = judgeSlowness(ATTACKS, { slowMs: 20, control: true });
    expect(unjudged).toEqual(['thrown-off']);
    expect(problems).toHaveLength(3);
  });
});
