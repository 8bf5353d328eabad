import { afterEach, beforeEach, expect, it, type Mock, vi } from 'vitest';
import { AckWatch } from '../../../../src/sources/mqtt/ack-watch.ts';

const KEEP_ALIVE_S = 10;
const PERIOD_MS = 15_000;

let withheld: Mock<() => void>;
let watch: AckWatch;

beforeEach(() => {
  vi.useFakeTimers();
  withheld = vi.fn<() => void>();
  watch = new AckWatch(withheld);
});

afterEach(() => vi.useRealTimers());

function message(): () => void {
  return watch.watch(() => undefined);
}

it('tells when the only acknowledgement is withheld for one and a half times the keep-alive, long after the start', () => {
  watch.start(KEEP_ALIVE_S);
  vi.advanceTimersByTime(10.5 * PERIOD_MS);
  message();
  vi.advanceTimersByTime(PERIOD_MS - 1);
  expect(withheld).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(withheld).toHaveBeenCalledTimes(1);
});

it('tells nothing of a client whose acknowledgements come, however many are outstanding', () => {
  watch.start(KEEP_ALIVE_S);
  const outstanding = Array.from({ length: 20 }, message);
  for (const answer of outstanding) {
    vi.advanceTimersByTime(PERIOD_MS - 1);
    answer();
    message();
  }
  expect(withheld).not.toHaveBeenCalled();
  vi.advanceTimersByTime(2 * PERIOD_MS);
  expect(withheld).toHaveBeenCalledTimes(1);
});

it('tells of the next message too after all were answered', () => {
  watch.start(KEEP_ALIVE_S);
  message()();
  vi.advanceTimersByTime(3 * PERIOD_MS);
  message();
  vi.advanceTimersByTime(PERIOD_MS);
  expect(withheld).toHaveBeenCalledTimes(1);
});

it.each([
  ['without a keep-alive', () => watch.start(0)],
  ['before it is started', () => undefined],
  [
    'after it is stopped',
    () => {
      watch.start(KEEP_ALIVE_S);
      watch.stop();
    },
  ],
])('tells nothing %s, and leaves no timer', (_, prepare) => {
  prepare();
  message();
  vi.advanceTimersByTime(10 * PERIOD_MS);
  expect(withheld).not.toHaveBeenCalled();
  expect(vi.getTimerCount()).toBe(0);
});

it('says once when nothing waits any more', () => {
  const [first, second] = [message(), message()];
  const idle = vi.fn();
  watch.whenIdle(idle);
  second();
  expect([watch.isIdle, idle.mock.calls.length]).toEqual([false, 0]);
  first();
  expect([watch.isIdle, idle.mock.calls.length]).toEqual([true, 1]);
});
