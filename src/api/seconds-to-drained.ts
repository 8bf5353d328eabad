import type { LinkStatus } from '../core/upstream.ts';

const DAY_S = 86_400;

export interface Draining {
  readonly pendingCount: number;
  readonly link: Pick<LinkStatus, 'state' | 'rate' | 'byteRate' | 'retryAt'>;
  /** Records accepted per second. */
  readonly arrivalRate: number;
  /** Null without a budget. */
  readonly budget: DayBudget | null;
}

export interface DayBudget {
  readonly maxBytesPerDay: number;
  readonly leftTodayBytes: number;
  /** Until the next day. */
  readonly leftTodayS: number;
}

/**
 * Seconds until nothing is pending, at the present rates of delivery and of arrival, with a pause each day when its budget
 * is spent; what is delivered within a second counts as drained by then. Null when it does not become less, while the uplink
 * is not up, and while it waits for another attempt: its rate is still that of the seconds before.
 */
export function secondsToDrained({ pendingCount, link, arrivalRate, budget }: Draining): number | null {
  const { state, rate, retryAt } = link;
  if (pendingCount === 0) return 0;
  if (state !== 'up' || retryAt !== null) return null;
  if (pendingCount <= rate) return pendingCount / rate;
  const perSecond = rate - arrivalRate;
  if (perSecond <= 0) return null;
  return budget === null || link.byteRate === 0
    ? pendingCount / perSecond
    : withBudget({ pendingCount, perSecond, arrivalRate, byteRate: link.byteRate }, budget);
}

interface Sending {
  readonly pendingCount: number;
  /** By so many they become less while there is a budget. */
  readonly perSecond: number;
  readonly arrivalRate: number;
  readonly byteRate: number;
}

function withBudget({ pendingCount, perSecond, arrivalRate, byteRate }: Sending, budget: DayBudget): number | null {
  const { maxBytesPerDay, leftTodayBytes, leftTodayS } = budget;
  // So long may be sent today, and on each day that follows.
  const [todayS, eachDayS] = [
    Math.min(leftTodayBytes / byteRate, leftTodayS),
    Math.min(maxBytesPerDay / byteRate, DAY_S),
  ];
  if (pendingCount <= perSecond * todayS) return pendingCount / perSecond;
  const lessAfter = (sentS: number, passedS: number): number => sentS * perSecond - (passedS - sentS) * arrivalRate;
  const tomorrowCount = pendingCount - lessAfter(todayS, leftTodayS);
  const lessEachDay = lessAfter(eachDayS, DAY_S);
  const beyondOneDay = tomorrowCount - perSecond * eachDayS;
  if (beyondOneDay > 0 && lessEachDay <= 0) return null;
  const days = beyondOneDay > 0 ? Math.ceil(beyondOneDay / lessEachDay) : 0;
  return leftTodayS + days * DAY_S + (tomorrowCount - days * lessEachDay) / perSecond;
}
