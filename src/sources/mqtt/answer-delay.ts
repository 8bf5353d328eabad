import type { Acceptance } from '../../core/ports.ts';

/** So long an acknowledgement waits at most because of a share: what goes on after that is refused in the end. */
const MAX_SHARE_WAIT_MS = 1_000;

/**
 * How long the acknowledgement of a message waits. A connection that speaks for several devices is not slowed for the
 * share of one: the quiet ones behind it would pay.
 */
export function answerDelayMs(acceptance: Acceptance, deviceCount: number): number {
  if (acceptance.kind !== 'accepted' || acceptance.slow === undefined) return 0;
  const { reason, waitMs } = acceptance.slow;
  if (reason === 'rate') return waitMs;
  return deviceCount > 1 ? 0 : Math.min(waitMs, MAX_SHARE_WAIT_MS);
}
