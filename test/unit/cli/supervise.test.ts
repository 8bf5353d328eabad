import { EventEmitter } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Supervised, supervise } from '../../../src/cli/supervise.ts';
import type { Logger } from '../../../src/platform/logger.ts';

const SECOND_MS = 1000;

let signals: EventEmitter;
let lines: string[];
let calls: string[];
let exits: number[];

beforeEach(() => {
  signals = new EventEmitter();
  lines = [];
  calls = [];
  exits = [];
});
afterEach(() => vi.useRealTimers());

const write = (fields: object, message: string): void => {
  lines.push(`${message} ${JSON.stringify(fields)}`);
};
const log: Logger = { debug: write, info: write, warn: write, error: write, child: () => log };

function gatewayThat(parts: Partial<Supervised> = {}): Supervised {
  return {
    failed: parts.failed ?? new Promise(() => {}),
    start: async () => {
      calls.push('start');
      await parts.start?.();
    },
    stop: async () => {
      calls.push('stop');
      await parts.stop?.();
    },
  };
}

const run = (gateway: Supervised): Promise<number> =>
  supervise(gateway, { signals, log, exit: (code) => exits.push(code), stopDeadlineMs: 10 * SECOND_MS });

describe('a supervised gateway', () => {
  it.each(['SIGTERM', 'SIGINT'])('runs until %s, then stops in order and ends with 0', async (signal) => {
    const code = run(gatewayThat());
    expect(calls).toEqual(['start']);
    signals.emit(signal, signal);
    expect(await code).toBe(0);
    expect(calls).toEqual(['start', 'stop']);
    expect(lines).toEqual([`stopping {"signal":"${signal}"}`]);
    expect(signals.listenerCount(signal)).toBe(0);
  });

  it('is stopped when the signal comes while it starts', async () => {
    const code = run(gatewayThat({ start: () => new Promise(() => {}) }));
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(0);
    expect(calls).toEqual(['start', 'stop']);
  });

  it('ends at once at a second signal', async () => {
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const code = run(gatewayThat({ stop: () => stopped }));
    signals.emit('SIGTERM', 'SIGTERM');
    await vi.waitUntil(() => calls.includes('stop'));
    expect(exits).toEqual([]);
    signals.emit('SIGINT', 'SIGINT');
    expect(exits).toEqual([1]);
    resolve();
    await code;
  });

  it('ends at once when stopping takes too long', async () => {
    vi.useFakeTimers();
    const { promise: stopped, resolve } = Promise.withResolvers<void>();
    const code = run(gatewayThat({ stop: () => stopped }));
    signals.emit('SIGTERM', 'SIGTERM');
    await vi.advanceTimersByTimeAsync(9 * SECOND_MS);
    expect(exits).toEqual([]);
    await vi.advanceTimersByTimeAsync(2 * SECOND_MS);
    expect(exits).toEqual([1]);
    expect(lines.at(-1)).toMatch(/^stopping took too long/);
    resolve();
    await code;
  });

  it('is stopped and ends with 1 when it fails, and says why', async () => {
    const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
    const code = run(gatewayThat({ failed }));
    fail(new Error('the store worker died'));
    expect(await code).toBe(1);
    expect(calls).toEqual(['start', 'stop']);
    expect(lines).toEqual([expect.stringMatching(/^the gateway failed/)]);
  });

  it('ends with 1 when it fails while it stops', async () => {
    const { promise: failed, resolve: fail } = Promise.withResolvers<Error>();
    const stop = async (): Promise<void> => {
      fail(new Error('the store worker died'));
      await failed;
    };
    const code = run(gatewayThat({ failed, stop }));
    signals.emit('SIGTERM', 'SIGTERM');
    expect(await code).toBe(1);
  });

  it('is stopped when it cannot start, and hands on why', async () => {
    const start = (): Promise<void> => Promise.reject(new Error('port 1883 is in use'));
    await expect(run(gatewayThat({ start }))).rejects.toThrow('port 1883 is in use');
    expect(calls).toEqual(['start', 'stop']);
    expect(lines).toEqual([expect.stringContaining('the gateway cannot start')]);
  });
});
