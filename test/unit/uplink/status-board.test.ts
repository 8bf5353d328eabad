import { beforeEach, describe, expect, it, vi } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { Stream } from '../../../src/core/stream.ts';
import type { LinkStatus } from '../../../src/core/upstream.ts';
import { StatusBoard } from '../../../src/uplink/status-board.ts';
import { blocking, retryable } from '../../support/fake-upstream.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

describe('StatusBoard', () => {
  let now: number;
  let logger: MemoryLogger;
  let published: LinkStatus[];
  let board: StatusBoard;

  beforeEach(() => {
    now = 1_000;
    logger = new MemoryLogger();
    published = [];
    board = new StatusBoard({ logger, publish: (status) => published.push(status), now: () => now });
  });

  const lane = (stream: Stream): LaneId => ({ uplink: 'plant', stream });
  const messages = (): string[] => logger.lines.map(({ level, message }) => `${level}: ${message}`);

  it('says why it waits for the clock', () => {
    board.enter('waiting_for_clock');
    expect(board.status).toMatchObject({ state: 'connecting', code: 'waiting_for_clock' });
    expect(board.status.reason).toContain('clock.waitForSync');
    board.enter('connecting');
    expect(board.status).toMatchObject({ state: 'connecting', reason: null, code: null });
  });

  it('says what failed, what to do and when it is tried again', () => {
    board.linkFailed(retryable(), 5_000);
    expect(board.status).toMatchObject({
      state: 'down',
      code: 'kafka_unreachable',
      reason: 'nobody answers: check the network',
      retryAt: 6_000,
    });
    now = 9_000;
    board.enter('open');
    expect(board.status).toMatchObject({ state: 'up', reason: null, code: null, retryAt: null, since: 9_000 });
  });

  it('is blocked when one lane is, and names it', () => {
    board.enter('open');
    board.laneFailed(lane('telemetry'), retryable(), 100);
    expect(board.status).toMatchObject({ state: 'down', reason: 'telemetry: nobody answers: check the network' });
    board.laneFailed(lane('events'), blocking(), 30_000);
    expect(board.status).toMatchObject({ state: 'blocked', reason: 'events: there is no such topic: create it' });
    board.laneWorks(lane('events'));
    expect(board.status.state).toBe('down');
    board.laneWorks(lane('telemetry'));
    expect(board.status.state).toBe('up');
  });

  it('is up while a lane waits because it is told to, and says until when', () => {
    board.enter('open');
    const spent = new SluiceError('the budget is spent', { code: 'daily_budget_spent', retryable: true });
    board.laneWaits({ ...lane('events'), range: { kind: 'backfill', id: 3 } }, spent, 9_000);
    const waits = { code: 'daily_budget_spent', reason: 'events (backfill): the budget is spent', retryAt: 9_000 };
    expect(board.status).toMatchObject({ state: 'up', ...waits });
    board.laneFailed(lane('telemetry'), retryable(), 100);
    expect(board.status).toMatchObject({ state: 'down', code: 'kafka_unreachable' });
    board.laneWorks(lane('telemetry'));
    board.laneWorks({ ...lane('events'), range: { kind: 'backfill', id: 3 } });
    expect(board.status).toMatchObject({ state: 'up', code: null, reason: null, retryAt: null });
  });

  it('stays paused whatever fails', () => {
    board.enter('paused');
    board.laneFailed(lane('telemetry'), blocking(), 100);
    expect(board.status.state).toBe('paused');
  });

  it('logs a change once, and failures that repeat not at all until they are summed up', () => {
    for (let attempt = 0; attempt < 50; attempt += 1) board.linkFailed(retryable(), 100);
    expect(messages()).toEqual(['warn: uplink attempt failed']);
    expect(logger.lines[0]?.fields).toMatchObject({ code: 'kafka_unreachable', hint: 'check the network' });
    now = 61_000;
    board.enter('open');
    expect(messages().slice(1)).toEqual([expect.stringContaining('49 more'), 'info: uplink is up']);
    expect(logger.lines.at(-1)?.fields).toMatchObject({ failedAttemptCount: 50, forMs: 60_000, previousState: 'down' });
  });

  it('is loud when it is blocked', () => {
    board.enter('open');
    board.laneFailed(lane('events'), blocking(), 100);
    board.laneFailed(lane('events'), blocking(), 100);
    expect(messages().filter((line) => line.startsWith('error'))).toEqual([
      'error: uplink is blocked until it is mended',
    ]);
  });

  it('publishes what changed, and nothing twice', () => {
    board.enter('open');
    board.enter('open');
    expect(published.map(({ state }) => state)).toEqual(['up']);
    board.stop();
    expect(published.map(({ state }) => state)).toEqual(['up', 'stopped']);
  });

  it('tells the bytes a second of a metered link, without those of replays', () => {
    vi.useFakeTimers();
    const metered = new StatusBoard({ logger, publish: (status) => published.push(status) });
    metered.start();
    metered.sent(lane('telemetry'), 5_000);
    metered.sent({ ...lane('telemetry'), range: { id: 1, kind: 'backfill' } }, 2_000);
    metered.sent({ ...lane('telemetry'), range: { id: 2, kind: 'replay' } }, 9_000);
    vi.advanceTimersByTime(2_000);
    expect(metered.status.byteRate).toBe(700);
    metered.stop();
    vi.useRealTimers();
  });

  it('remembers when something was delivered last', () => {
    now = 5_000;
    board.delivered(lane('telemetry'), 3);
    board.delivered(lane('telemetry'), 0);
    board.enter('open');
    expect(board.status.lastDeliveredAt).toBe(5_000);
  });
});
