import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import { Meter } from '../../../src/uplink/meter.ts';
import { FakeLog } from '../../support/fake-log.ts';
import { newRecord } from '../../support/records.ts';

const NEVER = new AbortController().signal;
const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const NOON = Date.UTC(2026, 4, 1, 12);
const MIDNIGHT = Date.UTC(2026, 4, 2);
const SPENT = { code: 'daily_budget_spent', retryable: true };

describe('a metered link', () => {
  let log: FakeLog;
  let sent: number[];

  beforeEach(() => {
    vi.useFakeTimers({ now: NOON });
    log = new FakeLog();
    sent = [];
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const make = async (options: { perSecond?: number; perDay?: number; eventsOverBudget?: boolean }): Promise<Meter> => {
    const { perSecond = 0, perDay = 0, eventsOverBudget = false } = options;
    const meter = new Meter({
      uplink: 'plant',
      options: { maxBytesPerSecond: perSecond, maxBytesPerDay: perDay, eventsOverBudget },
      laneLog: log,
      onSent: (_, bytes) => sent.push(bytes),
    });
    await meter.start();
    return meter;
  };

  const settle = async (meter: Meter): Promise<void> => {
    const from = await log.open(LANE, 'oldest');
    const [upTo = 0] = log.append([newRecord()]);
    await log.settle({ lane: LANE, from, upTo, deliveredCount: 1, rejected: [], sent: meter.take() });
  };

  it('lets as many bytes through in a second as it may, in the order they came', async () => {
    const meter = await make({ perSecond: 1_000 });
    const entered: number[] = [];
    const startedAt = performance.now();
    for (const bytes of [2_000, 500, 100]) {
      void meter.enter(LANE, [bytes], NEVER).then(() => entered.push(performance.now() - startedAt));
    }
    await vi.advanceTimersByTimeAsync(10_000);
    expect(entered.map(Math.round)).toEqual([0, 2_000, 2_500]);
    expect(sent).toEqual([2_000, 500, 100]);
  });

  it('lets nothing more through when the budget of the day is spent, until the next day', async () => {
    const meter = await make({ perDay: 1_000 });
    await meter.enter(LANE, [900], NEVER);
    await expect(meter.enter(LANE, [200], NEVER)).rejects.toMatchObject(SPENT);
    expect(meter.nextDayAt).toBe(MIDNIGHT);
    let isTomorrow = false;
    void meter.nextDay(NEVER).then(() => {
      isTomorrow = true;
    });
    await vi.advanceTimersByTimeAsync(MIDNIGHT - NOON - 1);
    expect(isTomorrow).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(isTomorrow).toBe(true);
    await meter.enter(LANE, [900], NEVER);
  });

  it('lets events through all the same when they may, and counts them', async () => {
    const meter = await make({ perDay: 1_000, eventsOverBudget: true });
    await meter.enter(LANE, [1_000], NEVER);
    await meter.enter({ ...LANE, stream: 'events' }, [500], NEVER);
    await expect(meter.enter({ ...LANE, stream: 'state' }, [1], NEVER)).rejects.toMatchObject(SPENT);
    expect(meter.take()?.bytes).toBe(1_500);
  });

  it('lets as many records through at once as fit into a second, and into what is left of the day', async () => {
    const meter = await make({ perSecond: 1_000, perDay: 1_500 });
    expect(await meter.enter(LANE, [600, 300, 200], NEVER)).toBe(2);
    const second = meter.enter(LANE, [300, 300, 300], NEVER);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await second).toBe(2);
    await expect(meter.enter(LANE, [1], NEVER)).rejects.toMatchObject(SPENT);
  });

  it('lets a record through that is larger than what a second carries', async () => {
    const meter = await make({ perSecond: 1_000 });
    expect(await meter.enter(LANE, [2_000, 1], NEVER)).toBe(1);
  });

  it('lets a record through that is larger than a whole budget, as the only one of the day', async () => {
    const meter = await make({ perDay: 1_000 });
    expect(await meter.enter(LANE, [5_000, 1], NEVER)).toBe(1);
    await expect(meter.enter(LANE, [1], NEVER)).rejects.toMatchObject(SPENT);
  });

  it('goes on after a restart from what settlements counted', async () => {
    const before = await make({ perDay: 1_000 });
    await before.enter(LANE, [600], NEVER);
    await settle(before);
    expect(before.take()).toBeUndefined();
    const after = await make({ perDay: 1_000 });
    await expect(after.enter(LANE, [500], NEVER)).rejects.toMatchObject(SPENT);
    await after.enter(LANE, [400], NEVER);
  });

  it('counts with the next settlement what one that failed could not', async () => {
    const meter = await make({ perDay: 1_000 });
    await meter.enter(LANE, [100], NEVER);
    meter.giveBack(meter.take());
    await meter.enter(LANE, [50], NEVER);
    expect(meter.take()).toEqual({ day: Math.floor(NOON / 86_400_000), bytes: 150 });
  });
});
