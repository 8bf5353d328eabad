import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { busyPartOfThread, RushMemory } from '../../../src/platform/rush-memory.ts';
import { waitFor } from '../../support/wait-for.ts';

const LOOK_MS = 5_000;
const QUIET_MS = 500;
const HOUR_MS = 3_600_000;

let rss: number;
let keepsMb: number;
let openCount: number;
let busyPart: number;
let memory: RushMemory;
const giveBack = vi.fn(() => {
  rss = keepsMb;
});

beforeEach(() => {
  vi.useFakeTimers();
  giveBack.mockClear();
  rss = 100;
  keepsMb = 100;
  openCount = 0;
  busyPart = 0;
  memory = new RushMemory({ openCount: () => openCount, giveBack, rss: () => rss, busyPart: () => busyPart });
  memory.start();
  vi.advanceTimersByTime(LOOK_MS);
});
afterEach(() => {
  memory.stop();
  vi.useRealTimers();
});

function close(count: number): void {
  for (let closed = 0; closed < count; closed += 1) memory.closed();
}

/** Time for those who leave, for a look at which nobody does, and for one at which there is nothing to do. */
function calm(): void {
  vi.advanceTimersByTime(2 * LOOK_MS + QUIET_MS);
}

function leave(count: number): void {
  close(count);
  calm();
}

it('gives memory back once, when nobody leaves any more', () => {
  rss = 150;
  close(20);
  vi.advanceTimersByTime(LOOK_MS);
  close(20);
  vi.advanceTimersByTime(LOOK_MS);
  expect(giveBack).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(LOOK_MS + QUIET_MS);
  expect(giveBack).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(HOUR_MS);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('gives it back although one client goes on coming back', () => {
  rss = 150;
  openCount = 1;
  close(2_000);
  for (let second = 0; second < 12; second += 1) {
    close(1);
    vi.advanceTimersByTime(1_000);
  }
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('waits for the end of a crowd that leaves for minutes', () => {
  rss = 150;
  for (let second = 0; second < 300; second += 1) {
    close(100);
    vi.advanceTimersByTime(1_000);
  }
  expect(giveBack).toHaveBeenCalledTimes(0);
  calm();
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('waits until there is little else to do', () => {
  rss = 150;
  busyPart = 0.31;
  leave(20);
  vi.advanceTimersByTime(30_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
  busyPart = 0.3;
  vi.advanceTimersByTime(QUIET_MS);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('waits for that a minute at most', () => {
  rss = 150;
  busyPart = 1;
  close(20);
  vi.advanceTimersByTime(2 * LOOK_MS + 60_000 - QUIET_MS);
  expect(giveBack).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(QUIET_MS);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('leaves it when the crowd is back before that, and gives it back when that one has gone', () => {
  rss = 150;
  busyPart = 1;
  leave(2_000);
  openCount = 2_000;
  rss = 200;
  busyPart = 0;
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
  openCount = 0;
  leave(2_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('does not wait any more when it is stopped', () => {
  rss = 150;
  busyPart = 1;
  leave(20);
  memory.stop();
  expect(vi.getTimerCount()).toBe(0);
});

it('knows a thread that is busy from one that is idle', async () => {
  vi.useRealTimers();
  const part = busyPartOfThread();
  await waitFor(() => part() < 0.3, { what: 'an idle moment', timeoutMs: 10_000 });
  part();
  const startedAt = performance.now();
  while (performance.now() < startedAt + 50);
  expect(part()).toBeGreaterThan(0.9);
});

it('leaves less than 15 percent to V8', () => {
  rss = 114.9;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(0);
  rss = 115;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('measures by what the process was at its smallest, whoever left then', () => {
  rss = 80;
  openCount = 10;
  leave(1);
  rss = 100;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('does not count what the start took as needed', () => {
  memory.stop();
  rss = 150;
  memory.start();
  rss = 100;
  vi.advanceTimersByTime(LOOK_MS);
  rss = 150;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('does not ask again for what is needed', () => {
  rss = 150;
  keepsMb = 140;
  for (let visits = 0; visits < 5; visits += 1) {
    leave(20);
  }
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('measures what is needed a little after it has given back, and not by a crowd that is there again', () => {
  rss = 150;
  keepsMb = 140;
  leave(20);
  rss = 110;
  vi.advanceTimersByTime(LOOK_MS);
  rss = 200;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(2);

  rss = 200;
  vi.advanceTimersByTime(LOOK_MS);
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(3);
});

it('leaves it when a fleet went and is back, and when too few have left', () => {
  rss = 150;
  openCount = 0;
  close(10);
  openCount = 10;
  calm();
  leave(19);
  expect(giveBack).toHaveBeenCalledTimes(0);
});

it('gives it back when two have left for each one that is here', () => {
  rss = 150;
  openCount = 10;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('gives back ten times an hour at most', () => {
  const crowd = (): void => {
    rss = 150;
    close(20);
    vi.advanceTimersByTime(60_000);
  };
  for (let minute = 0; minute < 60; minute += 1) crowd();
  expect(giveBack).toHaveBeenCalledTimes(10);
  crowd();
  crowd();
  expect(giveBack).toHaveBeenCalledTimes(11);
});

it('gives nothing back once it is stopped, whoever leaves then, and does again when it is started', () => {
  rss = 150;
  close(20);
  memory.stop();
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(0);
  rss = 100;
  memory.start();
  vi.advanceTimersByTime(LOOK_MS);
  rss = 150;
  leave(20);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('does not look any more when it is stopped behind a pause', () => {
  rss = 150;
  leave(20);
  memory.stop();
  expect(vi.getTimerCount()).toBe(0);
});
