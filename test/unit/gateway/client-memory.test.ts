import { afterEach, expect, it, vi } from 'vitest';
import { giveBackClientMemory } from '../../../src/gateway/client-memory.ts';

afterEach(() => vi.unstubAllGlobals());

it('gives back what clients left in this thread and in that of the store, even if the store is gone', () => {
  const collect = vi.fn();
  vi.stubGlobal('gc', collect);
  const store = { giveBackMemory: vi.fn(() => Promise.reject(new Error('gone'))) };
  giveBackClientMemory(store);
  expect(collect).toHaveBeenCalledTimes(1);
  expect(store.giveBackMemory).toHaveBeenCalledTimes(1);
});
