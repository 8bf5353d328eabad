import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { LogStats } from '../../../src/core/log-stats.ts';
import { StatsPoll } from '../../../src/gateway/stats-poll.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const STATS = { lanes: [], full: null, salvageStuck: null } as unknown as LogStats;

describe('the figures of the store', () => {
  let logger: MemoryLogger;
  let answer: () => Promise<LogStats>;
  let poll: StatsPoll;

  beforeEach(() => {
    vi.useFakeTimers();
    logger = new MemoryLogger();
    poll = new StatsPoll(() => answer(), logger);
  });

  afterEach(() => {
    poll.stop();
    vi.useRealTimers();
  });

  it('are asked for again after the store refused, which is said once', async () => {
    answer = async () => STATS;
    await poll.start();
    answer = () => Promise.reject(new Error('disk I/O error'));
    await vi.advanceTimersByTimeAsync(5_000);
    expect(poll.failure()).toBe('disk I/O error');
    answer = async () => ({ ...STATS, full: 'no space' });
    await vi.advanceTimersByTimeAsync(1_000);
    expect([poll.failure(), poll.latest().full]).toEqual([null, 'no space']);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'the store does not say how it is',
      'nothing can be stored',
      'the store says how it is again',
    ]);
  });

  it('say once that nothing more comes of a damaged log, and once that it does', async () => {
    answer = async () => ({ ...STATS, salvageStuck: 'EIO: i/o error, read' });
    await poll.start();
    await vi.advanceTimersByTimeAsync(5_000);
    answer = async () => STATS;
    await vi.advanceTimersByTimeAsync(5_000);
    expect(logger.lines.map(({ message }) => message)).toEqual([
      'the disk does not give the damaged log that is put back; forwarding waits',
      'the disk gives the damaged log again',
    ]);
  });

  it('are needed to start', async () => {
    answer = () => Promise.reject(new Error('disk I/O error'));
    await expect(poll.start()).rejects.toThrow('disk I/O error');
  });

  it('are asked for no more once it was stopped', async () => {
    const asked = vi.fn(async () => STATS);
    answer = asked;
    await poll.start();
    poll.stop();
    await vi.advanceTimersByTimeAsync(5_000);
    expect(asked).toHaveBeenCalledTimes(1);
  });
});
