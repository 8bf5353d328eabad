import { describe, expect, it } from 'vitest';
import { Backoff } from '../../../src/uplink/backoff.ts';

const OPTIONS = { initial: 250, max: 30_000 };

function pauses(count: number, random: () => number): number[] {
  const backoff = new Backoff(OPTIONS, random);
  return Array.from({ length: count }, () => backoff.next());
}

describe('Backoff', () => {
  it('doubles the longest possible pause up to the maximum', () => {
    expect(pauses(9, () => 1)).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });

  it('takes any pause from nothing up to the longest, so that a fleet does not come back in step', () => {
    expect(pauses(4, () => 0)).toEqual([0, 0, 0, 0]);
    expect(pauses(4, () => 0.5)).toEqual([125, 250, 500, 1_000]);
  });

  it('begins anew after a success', () => {
    const backoff = new Backoff(OPTIONS, () => 1);
    backoff.next();
    backoff.next();
    backoff.reset();
    expect(backoff.next()).toBe(250);
  });

  it('never gives up and never goes beyond the maximum', () => {
    expect(pauses(5_000, () => 1).at(-1)).toBe(30_000);
  });
});
