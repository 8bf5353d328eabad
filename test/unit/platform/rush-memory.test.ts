import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RushMemory } from '../../../src/platform/rush-memory.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function leave(memory: RushMemory, count: number): void {
  for (let i = 0; i < count; i += 1) memory.left();
}

it('gives memory back once, when many have left and nobody more for a while', () => {
  const giveBack = vi.fn();
  const memory = new RushMemory(giveBack);
  leave(memory, 1_500);
  vi.advanceTimersByTime(2_000);
  leave(memory, 1);
  vi.advanceTimersByTime(2_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
  vi.advanceTimersByTime(1_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(1);
});

it('leaves the few of everyday life to V8', () => {
  const giveBack = vi.fn();
  const memory = new RushMemory(giveBack);
  leave(memory, 999);
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
});

it('gives nothing back any more once it is stopped', () => {
  const giveBack = vi.fn();
  const memory = new RushMemory(giveBack);
  leave(memory, 1_000);
  memory.stop();
  vi.advanceTimersByTime(60_000);
  expect(giveBack).toHaveBeenCalledTimes(0);
});
