import { describe, expect, it } from 'vitest';
import { ArrivalRates } from '../../../src/gateway/arrival-rates.ts';
import { laneStats } from '../../support/fake-views.ts';

describe('arrival rates', () => {
  const lanes = (plant: number, stick: number) => [
    laneStats({ uplink: 'plant', acceptedCount: plant }),
    laneStats({ uplink: 'plant', stream: 'events', acceptedCount: plant }),
    laneStats({ uplink: 'stick', acceptedCount: stick }),
  ];

  it('are of all lanes of an uplink, over ten seconds', () => {
    const rates = new ArrivalRates();
    expect(rates.perSecond('plant')).toBe(0);
    for (let second = 0; second <= 20; second += 1)
      rates.add(lanes(second < 10 ? 0 : (second - 10) * 50, 7), second * 1_000);
    expect([rates.perSecond('plant'), rates.perSecond('stick')]).toEqual([100, 0]);
  });

  it('are told of ten seconds from the first second on, and are 0 of an uplink that is new', () => {
    const rates = new ArrivalRates();
    rates.add([], 0);
    rates.add(lanes(5, 0), 1_000);
    expect(rates.perSecond('plant')).toBe(0);
    rates.add(lanes(25, 0), 12_000);
    rates.add(lanes(30, 0), 13_000);
    expect(rates.perSecond('plant')).toBeCloseTo(50 / 12);
    const young = new ArrivalRates();
    young.add(lanes(0, 0), 0);
    young.add(lanes(25, 0), 1_000);
    expect(young.perSecond('plant')).toBe(5);
  });
});
