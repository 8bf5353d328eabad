import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { type LimitSettings, Limits } from '../../../src/store/limits.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { NOTHING_ASIDE, openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const MIB = 2 ** 20;
const PLANT = { uplink: 'plant', stream: 'telemetry' } as const;
const STICK = { uplink: 'stick', stream: 'telemetry' } as const;
/** Four fill a page, nearly. */
const RECORD = newRecord({ value: Buffer.alloc(940, 'x') });
const CLOCK = {
  now: Date.now,
  elapsed: () => performance.now(),
  quality: () => 'synced' as const,
  bootTime: () => undefined,
};

/** A disk with so much free. */
class Disk extends Limits {
  diskBytes = 1024 * MIB;

  override freeBytes(): number {
    return this.diskBytes;
  }
}

describe('the room that is left', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let limits: Disk;

  beforeEach(() => {
    directory = storeDirectory();
    open(0);
  });

  afterEach(() => {
    log.close();
    directory.remove();
  });

  function open(lastSeq: number): void {
    log = openLog(directory.dataDir, CLOCK, lastSeq);
    const settings: LimitSettings = {
      dataDir: directory.dataDir,
      maxBytes: 16 * MIB,
      maxAgeMs: 1e12,
      keepFreeBytes: 4 * MIB,
      whenFull: 'drop_oldest',
      walBytes: 0,
      aside: NOTHING_ASIDE,
    };
    limits = new Disk(log, settings, CLOCK);
  }

  function fill(mib: number): void {
    log.transaction(() => {
      for (let left = mib * 1_024; left > 0; left -= 1) log.records.append('telemetry', encodeRecord(RECORD, 0));
    });
  }

  function deliver(count: number): void {
    const from = log.stats().lanes[0]?.cursor ?? 0;
    log.transaction(() => log.settle({ lane: PLANT, from, upTo: from + count, deliveredCount: count, rejected: [] }));
  }

  function room(): number {
    while (limits.step());
    return limits.room.bytes / MIB;
  }

  it('is all of the limit at first, and less by what waits', () => {
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    expect(room()).toBeCloseTo(16, 0);
    fill(8);
    expect(limits.room.bytes / MIB).toBeCloseTo(8, 0);
    expect(room()).toBeCloseTo(8, 0);
    expect(limits.room.capacityBytes).toBe(16 * MIB);
  });

  it('is all of it again once everything is delivered, whatever is kept of it', () => {
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    fill(12);
    deliver(6 * 1_024);
    expect(room()).toBeCloseTo(10, 0);
    deliver(6 * 1_024);
    expect(room()).toBeGreaterThan(15);
    expect(log.stats().streams[0]?.storedCount).toBe(12 * 1_024);
  });

  it('is all of it while nobody waits for records', () => {
    fill(12);
    expect(room()).toBeGreaterThan(15);
  });

  it('is what the uplink leaves that is furthest behind', () => {
    log.transaction(() => {
      log.lanes.open(PLANT, 'oldest');
      log.lanes.open(STICK, 'oldest');
    });
    fill(12);
    deliver(12 * 1_024);
    expect(room()).toBeCloseTo(4, 0);
  });

  it('is not taken by what waits for an uplink that is not there any more', () => {
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    fill(12);
    const { lastSeq } = log.records;
    log.close();
    open(lastSeq);
    expect(room()).toBeGreaterThan(15);
  });

  it('is known again after a restart', () => {
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    fill(12);
    deliver(6 * 1_024);
    const { lastSeq } = log.records;
    log.close();
    open(lastSeq);
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    expect(room()).toBeCloseTo(10, 0);
  });

  it('is what the disk has for it, where that is less', () => {
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    limits.diskBytes = 8 * MIB;
    expect(room()).toBeCloseTo(4, 0);
    const before = log.space.usedBytes();
    fill(2);
    limits.diskBytes -= log.space.usedBytes() - before;
    expect(room()).toBeCloseTo(2, 0);
    expect(limits.room.capacityBytes / MIB).toBeCloseTo(4, 0);
  });

  it('is next to nothing when records have to be dropped', () => {
    log.transaction(() => log.lanes.open(PLANT, 'oldest'));
    fill(20);
    expect(room()).toBeLessThan(1.2);
    expect(log.stats().lanes[0]?.droppedCount).toBeGreaterThan(0);
  });
});
