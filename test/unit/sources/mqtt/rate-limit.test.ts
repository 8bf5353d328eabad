import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pacer } from '../../../../src/sources/mqtt/rate-limit.ts';

let now = 0;
const done: number[] = [];

function pacerOf(ratePerS: number): Pacer {
  return new Pacer({ ratePerS, now: () => now });
}

function runMany(pacer: Pacer, count: number, from = 0): void {
  for (let index = 0; index < count; index += 1) pacer.run(() => done.push(from + index));
}

function pass(ms: number): void {
  for (let step = 0; step < ms; step += 1) {
    now += 1;
    vi.advanceTimersByTime(1);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  now = 5_000;
  done.length = 0;
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the pacer', () => {
  it('runs a burst of one second at once, and the rest at the rate, in order', () => {
    const pacer = pacerOf(100);
    runMany(pacer, 150);
    expect(done.length).toBe(100);
    pass(100);
    expect(done.length).toBe(110);
    pass(400);
    expect(done).toEqual(Array.from({ length: 150 }, (_, index) => index));
  });

  it('lets nothing overtake what waits', () => {
    const pacer = pacerOf(10);
    runMany(pacer, 11);
    now += 10_000;
    runMany(pacer, 1, 11);
    expect(done.length).toBe(10);
    vi.advanceTimersByTime(10_000);
    expect(done.slice(10)).toEqual([10, 11]);
  });

  it('has the whole burst again after a quiet second', () => {
    const pacer = pacerOf(100);
    runMany(pacer, 100);
    pass(1_000);
    runMany(pacer, 101);
    expect(done.length).toBe(200);
  });

  it('lets everything pass at rate 0', () => {
    runMany(pacerOf(0), 10_000);
    expect(done.length).toBe(10_000);
  });

  it('runs at once what waits when it is flushed, and nothing twice', () => {
    const pacer = pacerOf(10);
    runMany(pacer, 30);
    pacer.flush();
    expect(done).toEqual(Array.from({ length: 30 }, (_, index) => index));
    pass(5_000);
    expect(done.length).toBe(30);
  });
});
