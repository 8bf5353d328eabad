import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Backoff } from '../../../src/uplink/backoff.ts';
import { watchIdleLink } from '../../../src/uplink/idle-watch.ts';
import { Link } from '../../../src/uplink/link.ts';
import { StatusBoard } from '../../../src/uplink/status-board.ts';
import { FakeUpstream } from '../../support/fake-upstream.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const INTERVAL_MS = 1_000;

describe('the watch over an idle link', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  function watch() {
    const upstream = new FakeUpstream();
    const ending = new AbortController();
    const board = new StatusBoard({ logger: new MemoryLogger(), publish: () => undefined });
    const backoff = new Backoff({ initial: 1, max: 5 });
    const link = new Link({ upstream, board, backoff, ending: ending.signal });
    const done = watchIdleLink({ upstream, link, board, intervalMs: INTERVAL_MS, ending: ending.signal });
    return { upstream, board, ending, done };
  }

  it('asks once in each interval without a delivery, and not in one with', async () => {
    const { upstream, board, ending, done } = watch();
    await vi.advanceTimersByTimeAsync(3 * INTERVAL_MS);
    expect(upstream.probeCount).toBe(3);
    for (let interval = 0; interval < 3; interval += 1) {
      board.delivered({ uplink: 'plant', stream: 'telemetry' }, 1);
      await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    }
    expect(upstream.probeCount).toBe(3);
    await vi.advanceTimersByTimeAsync(INTERVAL_MS);
    expect(upstream.probeCount).toBe(4);
    ending.abort();
    await done;
  });

  it('ends with the run, also while it waits', async () => {
    const { ending, done } = watch();
    await vi.advanceTimersByTimeAsync(INTERVAL_MS / 2);
    ending.abort();
    await expect(done).resolves.toBeUndefined();
  });
});
