import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RepeatSummary } from '../../../src/platform/repeat-summary.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

let now: number;
let logger: MemoryLogger;

function summary(maxKeys = 1_000) {
  return new RepeatSummary({ logger, maxKeys, now: () => now });
}

function pass(ms: number): void {
  now += ms;
  vi.advanceTimersByTime(ms);
}

function messages(): string[] {
  return logger.lines.map((line) => line.message);
}

beforeEach(() => {
  vi.useFakeTimers();
  now = 0;
  logger = new MemoryLogger();
});

afterEach(() => vi.useRealTimers());

describe('the summary of repeated failures', () => {
  it('logs the first failure of each kind at once', () => {
    const repeats = summary();
    repeats.warn('a', {}, 'publish denied');
    repeats.warn('b', {}, 'publish denied');
    expect(messages()).toEqual(['publish denied', 'publish denied']);
  });

  it('sums up what follows, with the fields of the latest', () => {
    const repeats = summary();
    for (const topic of ['x', 'y', 'z']) repeats.warn('a', { topic }, 'publish denied');
    pass(60_000);
    expect(logger.lines.slice(1)).toEqual([
      { level: 'warn', fields: { topic: 'z', repeatedCount: 2 }, message: 'publish denied (2 more in the last 60 s)' },
    ]);
  });

  it('says one line a minute while it goes on, and forgets when it ends', () => {
    const repeats = summary();
    for (let second = 0; second < 120; second += 1) {
      repeats.warn('a', {}, 'refused');
      pass(1_000);
    }
    expect(messages()).toHaveLength(3);
    pass(180_000);
    repeats.warn('a', {}, 'refused');
    expect(messages().at(-1)).toBe('refused');
  });

  it('keeps a bounded number of kinds and sums up the others together', () => {
    const repeats = summary(2);
    for (let kind = 0; kind < 100; kind += 1) repeats.warn(`kind ${kind}`, {}, `failure ${kind}`);
    expect(messages()).toEqual(['failure 0', 'failure 1', 'failure 2']);
    pass(30_000);
    repeats.stop();
    expect(messages().at(-1)).toBe('failure 99 (97 more in the last 30 s)');
  });
});
