import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Observation } from '../../../src/core/views.ts';
import { LatestBudget, LatestValues } from '../../../src/devices/latest-values.ts';

const NOON = Date.UTC(2026, 4, 1, 12);

function budget(limits: Partial<{ maxMetrics: number; maxBytes: number }> = {}): LatestBudget {
  return new LatestBudget({ maxMetrics: 256, maxBytes: 1_000_000, ...limits });
}

function observation(seq: number, metrics: Observation['metrics'], observedAt: number | null = null): Observation {
  return { device: 'pump', seq, receivedAt: NOON + seq, observedAt, metrics };
}

function valuesOf(latest: LatestValues): unknown[] {
  return latest.list().map(({ metric, value }) => [metric, value]);
}

describe('the latest values', () => {
  it('hold the newest value of each metric, by name', () => {
    const latest = new LatestValues(budget());
    latest.observe(observation(1, { t: 20, on: true }));
    latest.observe(observation(2, { t: 21, label: 'a', gone: null }));
    expect(latest.list()).toEqual([
      { metric: 'gone', value: null, seq: 2, receivedAt: NOON + 2, observedAt: null },
      { metric: 'label', value: 'a', seq: 2, receivedAt: NOON + 2, observedAt: null },
      { metric: 'on', value: true, seq: 1, receivedAt: NOON + 1, observedAt: null },
      { metric: 't', value: 21, seq: 2, receivedAt: NOON + 2, observedAt: null },
    ]);
  });

  it('do not go back to a value that was observed before', () => {
    const latest = new LatestValues(budget());
    latest.observe(observation(1, { t: 'new' }, NOON));
    latest.observe(observation(2, { t: 'old' }, NOON - 60_000));
    expect(valuesOf(latest)).toEqual([['t', 'new']]);
  });

  it('follow the order of acceptance when a time of observation is missing', () => {
    const latest = new LatestValues(budget());
    latest.observe(observation(1, { t: 'first' }, NOON));
    latest.observe(observation(2, { t: 'second' }));
    latest.observe(observation(3, { t: 'third' }, NOON - 60_000));
    expect(valuesOf(latest)).toEqual([['t', 'third']]);
  });

  it('do not believe a device whose clock is far ahead', () => {
    const latest = new LatestValues(budget());
    latest.observe(observation(1, { t: 'from 2099' }, Date.UTC(2099, 0, 1)));
    latest.observe(observation(2, { t: 'now' }, NOON));
    expect(valuesOf(latest)).toEqual([['t', 'now']]);
  });

  it('are the same when records are observed again', () => {
    const latest = new LatestValues(budget());
    const observations = [observation(1, { t: 1 }), observation(2, { t: 2, u: 2 }), observation(3, { u: 3 })];
    for (const each of [...observations, ...observations]) latest.observe(each);
    expect(valuesOf(latest)).toEqual([
      ['t', 2],
      ['u', 3],
    ]);
  });

  it('keep no more metrics than allowed, and still follow those they have', () => {
    const limits = budget({ maxMetrics: 2 });
    const latest = new LatestValues(limits);
    latest.observe(observation(1, { a: 1, b: 1, c: 1 }));
    latest.observe(observation(2, { a: 2, b: 2, c: 2 }));
    expect(valuesOf(latest)).toEqual([
      ['a', 2],
      ['b', 2],
    ]);
    expect(limits.skippedCount).toBe(2);
  });

  it('cut long texts and leave out metrics with endless names', () => {
    const latest = new LatestValues(budget());
    latest.observe(observation(1, { t: 'x'.repeat(10_000), ['y'.repeat(10_000)]: 1 }));
    expect(valuesOf(latest)).toEqual([['t', `${'x'.repeat(255)}…`]]);
  });

  it('forget a metric whose new value finds no room, rather than show an old one', () => {
    const latest = new LatestValues(budget({ maxBytes: 400 }));
    latest.observe(observation(1, { a: 1, b: 1 }));
    latest.observe(observation(2, { a: 'x'.repeat(200) }));
    expect(valuesOf(latest)).toEqual([['b', 1]]);
  });

  it('survive being saved', () => {
    const metric = fc.oneof(fc.string(), fc.constantFrom('__proto__', 'constructor', 'toString'));
    const value = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
      fc.boolean(),
      fc.constant(null),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(metric, value)), (entries) => {
        const latest = new LatestValues(budget());
        latest.observe(observation(1, Object.fromEntries(entries)));
        const loaded = new LatestValues(budget());
        loaded.load(latest.toJson());
        expect(JSON.stringify(loaded.list())).toBe(JSON.stringify(latest.list()));
      }),
    );
  });

  it('account for every byte they take and give back', () => {
    const change = fc.record({
      device: fc.nat(2),
      metric: fc.constantFrom('a', 'b', '__proto__'),
      value: fc.oneof(fc.integer(), fc.string({ maxLength: 400 })),
      clear: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const limits = budget({ maxBytes: 1_500 });
        const devices = [0, 1, 2].map(() => new LatestValues(limits));
        for (const [index, { device, metric, value, clear }] of changes.entries()) {
          if (clear) devices[device]?.clear();
          else devices[device]?.observe(observation(index + 1, { [metric]: value }));
          expect(limits.usedBytes).toBeLessThanOrEqual(1_500);
        }
        for (const latest of devices) latest.clear();
        expect(limits.usedBytes).toBe(0);
      }),
    );
  });
});

describe('the unit of a metric', () => {
  it('stays when a later record says none, and over a restart', () => {
    const budget = new LatestBudget({ maxMetrics: 10, maxBytes: 10_000 });
    const values = new LatestValues(budget);
    const at = { device: 'd', receivedAt: 1, observedAt: null };
    values.observe({ ...at, seq: 1, metrics: { t: 1, h: 2 }, units: { t: '°C' } });
    values.observe({ ...at, seq: 2, metrics: { t: 3 } });
    const reloaded = new LatestValues(budget);
    reloaded.load(values.toJson());
    for (const kept of [values, reloaded]) {
      expect(kept.list().map(({ metric, value, unit }) => [metric, value, unit])).toEqual([
        ['h', 2, undefined],
        ['t', 3, '°C'],
      ]);
    }
    values.clear();
    reloaded.clear();
    expect(budget.usedBytes).toBe(0);
  });

  it('is another when a record says so, and none when it is too long', () => {
    const values = new LatestValues(new LatestBudget({ maxMetrics: 10, maxBytes: 10_000 }));
    const at = { device: 'd', receivedAt: 1, observedAt: null };
    values.observe({ ...at, seq: 1, metrics: { t: 1 }, units: { t: '°C' } });
    values.observe({ ...at, seq: 2, metrics: { t: 1 }, units: { t: '°F' } });
    values.observe({ ...at, seq: 3, metrics: { t: 1 }, units: { t: 'x'.repeat(33) } });
    expect(values.list()[0]?.unit).toBe('°F');
  });
});
