import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RunningParts } from '../../../src/gateway/running-parts.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const FOR_EVER = new Promise<void>(() => undefined);

describe('stopping the parts', () => {
  let logger: MemoryLogger;
  let parts: RunningParts;
  let stopped: string[];

  beforeEach(() => {
    vi.useFakeTimers();
    logger = new MemoryLogger();
    parts = new RunningParts(logger);
    stopped = [];
  });

  afterEach(() => vi.useRealTimers());

  it('goes in the order of the data, whatever the order in which they began', async () => {
    for (const part of ['store', 'api', 'uplinks', 'mqtt'] as const) parts.add(part, () => void stopped.push(part));
    await parts.stop();
    expect(stopped).toEqual(['mqtt', 'uplinks', 'api', 'store']);
  });

  it('leaves the store the last second, though every other part hangs', async () => {
    for (const part of ['mqtt', 'ingest', 'uplinks', 'api', 'reader', 'stats', 'devices'] as const) {
      parts.add(part, () => FOR_EVER);
    }
    let storeLimitMs = 0;
    parts.add('store', (limitMs) => {
      storeLimitMs = limitMs;
    });
    const stopping = parts.stop();
    await vi.advanceTimersByTimeAsync(9_000);
    await stopping;
    expect(storeLimitMs).toBe(1_000);
    expect(logger.lines.map(({ fields }) => fields['part'])).toContain('api');
  });

  it('goes on behind a part that fails', async () => {
    parts.add('api', () => Promise.reject(new Error('no')));
    parts.add('store', () => void stopped.push('store'));
    await parts.stop();
    expect(stopped).toEqual(['store']);
    expect(logger.lines).toMatchObject([{ level: 'error', fields: { part: 'api' } }]);
  });
});
