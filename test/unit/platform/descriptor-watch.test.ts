import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { DescriptorWatch } from '../../../src/platform/descriptor-watch.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function watching(count: () => number): MemoryLogger {
  const logger = new MemoryLogger();
  new DescriptorWatch({ logger, count: () => ({ open: count(), limit: 100 }) }).start();
  return logger;
}

it('says once that descriptors are scarce, and that there are enough again', () => {
  let open = 50;
  const logger = watching(() => open);
  const said: (string | undefined)[] = [];
  for (open of [50, 91, 99, 85, 79, 85]) {
    vi.advanceTimersByTime(1_000);
    said.push(...logger.lines.splice(0).map(({ level }) => level));
    said.push('|');
  }
  expect(said.join(' ')).toBe('| error | | | info | |');
});

it('knows that not even the look has one left', () => {
  const logger = watching(() => {
    throw Object.assign(new Error('too many open files'), { code: 'EMFILE' });
  });
  vi.advanceTimersByTime(3_000);
  expect(logger.lines.map(({ message }) => message)).toEqual(['too many files are open: connections are lost']);
});

it('counts its own process, which has enough of them', () => {
  const logger = new MemoryLogger();
  const watch = new DescriptorWatch({ logger });
  watch.start();
  vi.advanceTimersByTime(1_000);
  watch.stop();
  expect(logger.lines).toEqual([]);
});
