import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pace } from '../../../src/uplink/pace.ts';

const NEVER = new AbortController().signal;

describe('the pace of a backlog', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Milliseconds of the fake clock until the backlog may go on, in steps of 10; Infinity: not within `maxMs`. */
  async function restOf(
    pace: Pace,
    tookMs: number,
    { maxMs = 5_000, beat }: { maxMs?: number; beat?: () => void } = {},
  ) {
    let isOver = false;
    void pace.rest(tookMs, NEVER).then(() => {
      isOver = true;
    });
    for (let ms = 0; ms <= maxMs; ms += 10) {
      await vi.advanceTimersByTimeAsync(0);
      if (isOver) return ms;
      beat?.();
      await vi.advanceTimersByTimeAsync(10);
    }
    return Number.POSITIVE_INFINITY;
  }

  it('rests as its share says while there are fresh records', async () => {
    const pace = new Pace(0.25, () => Date.now());
    const beat = () => pace.live();
    beat();
    expect(await restOf(pace, 100, { beat })).toBe(300);
    expect(await restOf(pace, 0, { beat })).toBe(0);
  });

  it('does not rest when there are none, or when all of the link is its share', async () => {
    const idle = new Pace(0.5, () => Date.now());
    expect(await restOf(idle, 100)).toBe(0);
    const greedy = new Pace(1, () => Date.now());
    greedy.live();
    expect(await restOf(greedy, 100)).toBe(0);
  });

  it('goes on a second after the last fresh record', async () => {
    const pace = new Pace(0.05, () => Date.now());
    pace.live();
    expect(await restOf(pace, 10_000)).toBe(1_000);
  });

  it('says when a batch kept fresh records waiting', () => {
    const pace = new Pace(0.5, () => Date.now());
    expect(pace.isTooLong(2_000)).toBe(false);
    pace.live();
    expect([pace.isTooLong(2_000), pace.isTooLong(100)]).toEqual([true, false]);
  });

  it('ends its rest with the run', async () => {
    const pace = new Pace(0.05, () => Date.now());
    const ending = new AbortController();
    pace.live();
    const resting = pace.rest(10_000, ending.signal);
    ending.abort();
    await resting;
  });
});
