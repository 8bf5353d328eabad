import { describe, expect, it } from 'vitest';
import { Wear } from '../../../src/gateway/wear.ts';
import type { DiskWrites } from '../../../src/platform/disk-writes.ts';

const DAY_MS = 86_400_000;

/** A gateway that has run for some time when it is looked at. */
function wearAfter(
  ms: number,
  {
    writes = {},
    acceptedCount = 0,
    enduranceBytes = 0,
  }: {
    readonly writes?: Partial<DiskWrites>;
    readonly acceptedCount?: number;
    readonly enduranceBytes?: number;
  },
) {
  const before: DiskWrites = { processBytes: 1_000, deviceBytes: 50_000 };
  let current = { now: 5_000, writes: before, acceptedCount: 7 };
  const wear = new Wear({
    writes: () => current.writes,
    acceptedCount: () => current.acceptedCount,
    enduranceBytes,
    now: () => current.now,
  });
  wear.start();
  current = { now: 5_000 + ms, writes: { ...before, ...writes }, acceptedCount: 7 + acceptedCount };
  return wear.view();
}

describe('the wear of the card', () => {
  it('is what was written since the start, for a record and for a day', () => {
    const writes = { processBytes: 21_000, deviceBytes: 90_000 };
    expect(wearAfter(DAY_MS / 2, { writes, acceptedCount: 100 })).toEqual({
      writtenBytes: 20_000,
      bytesPerRecord: 200,
      bytesPerDay: 40_000,
      deviceBytesPerDay: 80_000,
      enduranceBytes: null,
      cardLifeDays: null,
    });
  });

  it('uses up what the card bears, with what other programs write where that is known', () => {
    const writes = { processBytes: 21_000, deviceBytes: 90_000 };
    expect(wearAfter(DAY_MS / 2, { writes, enduranceBytes: 800_000 }).cardLifeDays).toBe(10);
    const alone = { processBytes: 21_000, deviceBytes: null };
    expect(wearAfter(DAY_MS / 2, { writes: alone, enduranceBytes: 800_000 }).cardLifeDays).toBe(20);
  });

  it.each([0, 1, 99])('is not told for a record when only %i came', (acceptedCount) => {
    const writes = { processBytes: 200_000_000 };
    expect(wearAfter(DAY_MS, { writes, acceptedCount })).toMatchObject({ bytesPerRecord: null });
  });

  it('is not told as a rate, nor for a record, before a minute has passed', () => {
    const writes = { processBytes: 21_000, deviceBytes: 90_000 };
    expect(wearAfter(59_999, { writes, acceptedCount: 1_000, enduranceBytes: 800_000 })).toEqual({
      writtenBytes: 20_000,
      bytesPerRecord: null,
      bytesPerDay: null,
      deviceBytesPerDay: null,
      enduranceBytes: 800_000,
      cardLifeDays: null,
    });
  });

  it('is not told where the system does not say', () => {
    const writes = { processBytes: null, deviceBytes: null };
    expect(wearAfter(DAY_MS, { writes, acceptedCount: 1, enduranceBytes: 800_000 })).toMatchObject({
      writtenBytes: null,
      bytesPerRecord: null,
      bytesPerDay: null,
      cardLifeDays: null,
    });
  });

  it('is endless, not a fault, when nothing is written', () => {
    expect(wearAfter(DAY_MS, { enduranceBytes: 800_000 }).cardLifeDays).toBe(800_000);
  });
});
