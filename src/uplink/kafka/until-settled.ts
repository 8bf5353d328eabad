import { type Bounds, pause } from '../bounded.ts';
import type { Judgement } from './judgement.ts';

/** While a coordinator starts, or an old transaction ends, it says so and is asked again. */
const BUSY = new Set([
  'unstable_offset_commit',
  'not_coordinator',
  'not_coordinator_for_group',
  'coordinator_not_available',
  'group_coordinator_not_available',
  'coordinator_load_in_progress',
  'group_load_in_progress',
  'concurrent_transactions',
]);
/** Doubled with each answer in a row. */
const FIRST_PAUSE_MS = 5;
const LONGEST_PAUSE_MS = 200;

export interface SettledOptions<T> extends Bounds {
  readonly ask: (bounds: Bounds) => Promise<T>;
  readonly judge: (thrown: unknown) => Judgement;
}

/** Asks until the answer is not that Kafka is busy, or the time is over; rejects with what was thrown last. */
export async function untilSettled<T>({ ask, judge, deadlineMs, signal }: SettledOptions<T>): Promise<T> {
  const until = performance.now() + deadlineMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS)) {
    try {
      return await ask({ deadlineMs: until - performance.now(), signal });
    } catch (thrown) {
      const isOver = signal.aborted || performance.now() + pauseMs > until;
      if (isOver || !isBusy(judge(thrown))) throw thrown;
      await pause(pauseMs, signal);
    }
  }
}

function isBusy(judgement: Judgement): boolean {
  return judgement.kind === 'failure' && BUSY.has(judgement.error.code);
}
