import { beforeEach, describe, expect, it } from 'vitest';
import { DeviceRates } from '../../../src/ingest/device-rates.ts';

describe('the rate of a device', () => {
  let elapsed: number;
  let rates: DeviceRates;

  beforeEach(() => {
    elapsed = 10_000;
    rates = new DeviceRates({ ratePerS: 10, elapsed: () => elapsed });
  });

  function send(device: string, count: number): void {
    for (let left = count; left > 0; left -= 1) rates.count(device);
  }

  it('lets a second’s worth go at once, and what is more wait for its turn', () => {
    send('a', 9);
    expect(rates.waitMs('a')).toBe(0);
    send('a', 1);
    expect(rates.waitMs('a')).toBe(100);
    send('a', 5);
    expect(rates.waitMs('a')).toBe(600);
    elapsed += 600;
    expect(rates.waitMs('a')).toBe(0);
  });

  it('is of each device alone', () => {
    send('a', 100);
    expect(rates.waitMs('b')).toBe(0);
  });

  it('is unlimited when it is 0', () => {
    rates = new DeviceRates({ ratePerS: 0 });
    send('a', 100_000);
    expect(rates.waitMs('a')).toBe(0);
  });

  it('is remembered of a bounded number of devices, the silent forgotten first', () => {
    send('a', 100);
    send('b', 100);
    for (let index = 0; index < 9_999; index += 1) rates.count(`d${index}`);
    expect([rates.waitMs('a'), rates.waitMs('b')]).toEqual([0, 9_100]);
  });
});
