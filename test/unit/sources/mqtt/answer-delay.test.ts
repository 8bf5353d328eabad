import { expect, it } from 'vitest';
import type { Acceptance } from '../../../../src/core/ports.ts';
import { answerDelayMs } from '../../../../src/sources/mqtt/answer-delay.ts';

const slowed = (reason: 'share' | 'rate', waitMs: number): Acceptance => ({
  kind: 'accepted',
  device: 'd',
  firstSeq: 1,
  count: 1,
  slow: { reason, waitMs },
});

it.each<[string, Acceptance, number, number]>([
  ['of a device that is not slowed is not there', { kind: 'accepted', device: 'd', firstSeq: 1, count: 1 }, 1, 0],
  ['of a refused message is not there', { kind: 'refused', reason: 'share' }, 1, 0],
  ['for a share is the wait', slowed('share', 300), 1, 300],
  ['for a share is a second at most', slowed('share', 3_600_000), 1, 1_000],
  ['for a share is not there on a connection that speaks for several devices', slowed('share', 300), 2, 0],
  ['for a rate is the wait, however long it is', slowed('rate', 5_000), 1, 5_000],
  ['for a rate is there on any connection', slowed('rate', 5_000), 2, 5_000],
])('the delay of an answer %s', (_, acceptance, deviceCount, delayMs) => {
  expect(answerDelayMs(acceptance, deviceCount)).toBe(delayMs);
});
