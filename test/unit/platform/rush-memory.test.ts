import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RushMemory } from '../../../src/platform/rush-memory.ts';

let rss: number;
let keepsMb: number;
let hereCount: number;
const giveBack = vi.fn(() => {
  rss = keepsMb;
});

beforeEach(() => {
  vi.useFakeTimers();
  giveBack.mockClear();
  rss = 100;
  keepsMb = 100;
  hereCount = 0;
});
afterEach(() => {
  vi.useRealTimers();
});

function started(): RushMemory {
  const memory = new RushMemory({ hereCount: () => hereCount, giveBack, rss: () => rss });
  memory.start();
  return memory;
}

it('gives memory back once, when nobody more has left for a while', () => {
  const memory = started();
  rss = 150;
  memory.left();
  vi.advanceTimersByTime(9_000);
  memory.left();
  vi.advanceTimersByTime(9_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('leaves a little to V8', () => {
  const memory = started();
  rss = 119;
  memory.left();
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
});

it('measures by what the process was at its smallest', () => {
  const memory = started();
  rss = 80;
  memory.left();
  vi.advanceTimersByTime(10_000);
  rss = 100;
  memory.left();
  vi.advanceTimersByTime(10_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('does not ask again for what is needed', () => {
  const memory = started();
  rss = 150;
  keepsMb = 140;
  for (let visits = 0; visits < 10; visits += 1) {
    memory.left();
    vi.advanceTimersByTime(11_000);
  }
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('measures what is needed a little after it has given back, when that is gone', () => {
  const memory = started();
  rss = 150;
  keepsMb = 140;
  memory.left();
  vi.advanceTimersByTime(10_000);
  rss = 100;
  vi.advanceTimersByTime(1_000);
  rss = 130;
  memory.left();
  vi.advanceTimersByTime(10_000);
  expect(giveBack).toHaveBeenCalledTimes(2);
});

it('leaves it when a fleet went and came back, and when most of a crowd are still here', () => {
  const memory = started();
  rss = 150;
  hereCount = 10;
  for (let device = 0; device < 10; device += 1) memory.left();
  vi.advanceTimersByTime(10_000);
  for (let device = 0; device < 19; device += 1) memory.left();
  vi.advanceTimersByTime(10_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
});

it('gives it back when two have left for each one that is here', () => {
  const memory = started();
  rss = 150;
  hereCount = 10;
  for (let visitor = 0; visitor < 20; visitor += 1) memory.left();
  vi.advanceTimersByTime(10_000);
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
