import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Answers } from '../../../../src/sources/serial/answers.ts';

const PAUSE_MS = 75;

describe('acknowledgements that come faster than silence can divide them', () => {
  beforeEach(() => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] }));
  afterEach(() => vi.useRealTimers());

  it('are left out where newer ones wait behind them for a second, and the rest is not late', async () => {
    const delays: number[] = [];
    const write = (bytes: Buffer): Promise<void> => {
      delays.push(performance.now() - Number(bytes.toString()));
      return Promise.resolve();
    };
    const answers = new Answers({ write }, () => PAUSE_MS);
    for (let count = 0; count < 1_000; count += 1) {
      answers.write(Buffer.from(String(performance.now())));
      await vi.advanceTimersByTimeAsync(50);
    }
    expect(Math.max(...delays)).toBeLessThan(1_000 + 2 * PAUSE_MS);
    expect(delays.length).toBeGreaterThan(600);
  });

  it('are written however long the pause is, when none waits behind them', async () => {
    const written: string[] = [];
    const write = (bytes: Buffer): Promise<void> => {
      written.push(bytes.toString());
      return Promise.resolve();
    };
    const answers = new Answers({ write }, () => 90_000);
    answers.write(Buffer.from('first'));
    answers.write(Buffer.from('second'));
    await vi.advanceTimersByTimeAsync(100_000);
    expect(written).toEqual(['first', 'second']);
  });
});
