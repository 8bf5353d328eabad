import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RushMemory } from '../../../src/platform/rush-memory.ts';

let rss: number;
let keepsMb: number;
const giveBack = vi.fn(() => {
  rss = keepsMb;
});

beforeEach(() => {
  vi.useFakeTimers();
  giveBack.mockClear();
  rss = 100;
  keepsMb = 100;
});
afterEach(() => {
  vi.useRealTimers();
});

function started(): RushMemory {
  const memory = new RushMemory({ giveBack, rss: () => rss });
  memory.start();
  return memory;
}

it('gives memory back once, when nobody more has left for a while', () => {
  const memory = started();
  rss = 150;
  memory.left();
  vi.advanceTimersByTime(2_000);
  memory.left();
  vi.advanceTimersByTime(2_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('leaves a little to V8', () => {
  const memory = started();
  rss = 114;
  memory.left();
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
});

it('measures by what the process was at its smallest', () => {
  const memory = started();
  rss = 80;
  memory.left();
  vi.advanceTimersByTime(3_000);
  rss = 100;
  memory.left();
  vi.advanceTimersByTime(3_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('does not ask again for what is needed', () => {
  const memory = started();
  rss = 150;
  keepsMb = 140;
  for (let visits = 0; visits < 10; visits += 1) {
    memory.left();
    vi.advanceTimersByTime(3_000);
  }
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('gives nothing back any more once it is stopped', () => {
  const memory = started();
  rss = 150;
  memory.left();
  memory.stop();
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
});
