import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type DayBudget, type Draining, secondsToDrained } from '../../../src/api/seconds-to-drained.ts';

const DAY_S = 86_400;
const STEP_S = 10;
const MAX_DAYS = 200;

const link = (rate: number, byteRate = 0) => ({ state: 'up', rate, byteRate, retryAt: null }) as const;

/** In small steps, with nothing sent while the budget of the day is spent; null: not within `MAX_DAYS`. */
function played({ pendingCount, link: { rate, byteRate }, arrivalRate }: Draining, budget: DayBudget): number | null {
  let [pending, leftBytes, leftS] = [pendingCount, budget.leftTodayBytes, budget.leftTodayS];
  for (let passedS = 0; passedS < MAX_DAYS * DAY_S; ) {
    // A step ends where the budget does.
    const stepS = Math.min(STEP_S, leftS, leftBytes > 0 ? leftBytes / byteRate : STEP_S);
    pending += (arrivalRate - (leftBytes > 0 ? rate : 0)) * stepS;
    leftBytes = leftBytes / byteRate <= stepS ? 0 : leftBytes - byteRate * stepS;
    leftS -= stepS;
    passedS += stepS;
    if (pending <= 0) return passedS;
    if (leftS <= 0) [leftBytes, leftS] = [budget.maxBytesPerDay, DAY_S];
  }
  return null;
}

describe('the time until nothing is pending', () => {
  it('goes on day by day where a link has a daily budget', () => {
    const budget = { maxBytesPerDay: 3_600_000, leftTodayBytes: 1_800_000, leftTodayS: DAY_S / 2 };
    const draining = { pendingCount: 100_000, link: link(10, 1_000), arrivalRate: 0.1, budget };
    // Half an hour today, an hour on each of two days, and the rest of it on the third.
    expect(secondsToDrained(draining)).toBeCloseTo(2.5 * DAY_S + (100_000 - 13_680 - 2 * 27_360) / 9.9);
    expect(secondsToDrained({ ...draining, budget: null })).toBeCloseTo(100_000 / 9.9);
  });

  it('is not known where more arrives in a day than its budget lets through', () => {
    const budget = { maxBytesPerDay: 3_600_000, leftTodayBytes: 3_600_000, leftTodayS: DAY_S };
    const draining = { pendingCount: 100_000, link: link(10, 1_000), arrivalRate: 0.5, budget };
    expect(secondsToDrained(draining)).toBeNull();
    expect(secondsToDrained({ ...draining, pendingCount: 9_500 })).toBeCloseTo(1_000);
  });

  it('is what comes of it second by second', () => {
    const anyDraining = fc.record({
      pendingCount: fc.integer({ min: 2_000, max: 5_000_000 }),
      rate: fc.integer({ min: 20, max: 1_000 }),
      recordBytes: fc.integer({ min: 50, max: 1_000 }),
      arrivalShare: fc.double({ min: 0, max: 0.9, noNaN: true }),
      sendingS: fc.integer({ min: 600, max: 2 * DAY_S }),
      leftShare: fc.double({ min: 0, max: 1, noNaN: true }),
      leftTodayS: fc.integer({ min: STEP_S, max: DAY_S }),
    });
    fc.assert(
      fc.property(anyDraining, ({ rate, recordBytes, sendingS, arrivalShare, ...any }) => {
        const byteRate = rate * recordBytes;
        const maxBytesPerDay = byteRate * sendingS;
        const { pendingCount, leftTodayS } = any;
        const budget = { maxBytesPerDay, leftTodayBytes: any.leftShare * maxBytesPerDay, leftTodayS };
        const draining = { pendingCount, link: link(rate, byteRate), arrivalRate: rate * arrivalShare, budget };
        const [seconds, inSteps] = [secondsToDrained(draining), played(draining, budget)];
        if (seconds !== null && Math.abs(seconds - MAX_DAYS * DAY_S) <= DAY_S) return;
        if (seconds === null || seconds > MAX_DAYS * DAY_S) expect(inSteps).toBeNull();
        else expect(Math.abs((inSteps ?? Number.NaN) - seconds)).toBeLessThanOrEqual(STEP_S + 1e-3);
      }),
      { numRuns: 30 },
    );
  });
});
