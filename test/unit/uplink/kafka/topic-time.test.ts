import { describe, expect, it } from 'vitest';
import { TopicTime } from '../../../../src/uplink/kafka/topic-time.ts';

const TEN_MINUTES_MS = 600_000;

describe('the time that records of a topic get', () => {
  it.each(['observed', 'sent'] as const)('is what is configured: %s', (configured) => {
    expect(new TopicTime(configured).kindAt(1)).toBe(configured);
  });

  it('is that of sending, then none, for ten minutes each, when the topic refuses what it gets', () => {
    const time = new TopicTime('observed');
    time.fallBack(0);
    expect([time.kindAt(0), time.kindAt(TEN_MINUTES_MS - 1), time.kindAt(TEN_MINUTES_MS)]).toEqual([
      'sent',
      'sent',
      'observed',
    ]);
    time.fallBack(5);
    expect([time.kindAt(5), time.kindAt(TEN_MINUTES_MS + 4), time.kindAt(TEN_MINUTES_MS + 5)]).toEqual([
      'none',
      'none',
      'observed',
    ]);
  });

  it('is none for ten minutes when the topic refuses that of sending', () => {
    const time = new TopicTime('sent');
    time.fallBack(0);
    expect([time.kindAt(0), time.kindAt(TEN_MINUTES_MS - 1), time.kindAt(TEN_MINUTES_MS)]).toEqual([
      'none',
      'none',
      'sent',
    ]);
  });
});
