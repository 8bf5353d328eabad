import { describe, expect, it } from 'vitest';
import { acceptedNow } from '../../../src/core/acceptance.ts';

const BOOT_TIME = { bootId: 'b'.repeat(32), uptimeMs: 7_000 };
const RIGHT = Date.UTC(2026, 4, 1);

describe('what a record says of its time', () => {
  it('has the boot time only while the clock is not synchronised', () => {
    const at = (quality: 'synced' | 'unsynced') =>
      acceptedNow({ now: () => 5, quality: () => quality, bootTime: () => BOOT_TIME });
    expect(at('synced')).toEqual({ receivedAt: 5, timeQuality: 'synced' });
    expect(at('unsynced')).toEqual({ receivedAt: 5, timeQuality: 'unsynced', bootTime: BOOT_TIME });
  });

  it('never calls a time synchronised that was taken before the clock was set', () => {
    // Set between any two looks at it.
    for (let setAt = 0; setAt < 4; setAt += 1) {
      let looks = 0;
      const isSet = (): boolean => looks++ >= setAt;
      const { receivedAt, timeQuality } = acceptedNow({
        now: () => (isSet() ? RIGHT : 5),
        quality: () => (isSet() ? 'synced' : 'unsynced'),
        bootTime: () => BOOT_TIME,
      });
      if (timeQuality === 'synced') expect(receivedAt).toBe(RIGHT);
    }
  });
});
