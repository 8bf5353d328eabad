import { Buffer } from 'node:buffer';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { Limits } from '../../../src/store/limits.ts';
import { Log } from '../../../src/store/log/log.ts';
import { NO_SKIPS, NOTHING_ASIDE } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const MIB = 1024 * 1024;
const WAL_BYTES = 256 * 1024;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const CLOCK = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  quality: () => 'synced' as const,
  bootTime: () => undefined,
};
const VALUE = Buffer.alloc(1_000, 'x');

/** A disk that holds the log and nothing else. */
class SmallDisk extends Limits {
  diskBytes = Number.POSITIVE_INFINITY;
  logFile = '';

  override freeBytes(): number {
    return this.diskBytes - statSync(this.logFile).size;
  }
}

describe('a disk with too little space', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let limits: SmallDisk;

  beforeEach(() => {
    directory = storeDirectory();
    const { dataDir } = directory;
    const seqs = { reservedSeq: () => 0, reserveSeq: (needed: number) => needed + 1_000_000 };
    const file = join(dataDir, 'log.db');
    log = new Log({
      durability: 'full',
      walBytes: WAL_BYTES,
      keptBytes: 8 * MIB,
      machineId: 'm',
      idempotency: { windowMs: 1e9, maxKeys: 100, maxBytes: 2 ** 20 },
      clock: CLOCK,
      seqs,
      skips: NO_SKIPS,
      file,
    });
    const bounds = { maxBytes: 1024 * MIB, maxAgeMs: 1e12, keepFreeBytes: 4 * MIB, whenFull: 'drop_oldest' } as const;
    limits = new SmallDisk(log, { ...bounds, dataDir, walBytes: WAL_BYTES, aside: NOTHING_ASIDE }, CLOCK);
    limits.logFile = file;
    log.transaction(() => log.lanes.open(LANE, 'oldest'));
  });

  afterEach(() => {
    log.close();
    directory.remove();
  });

  function fill(count: number): void {
    log.transaction(() => {
      for (let left = count; left > 0; left -= 1)
        log.records.append('telemetry', encodeRecord(newRecord({ value: VALUE }), 0));
    });
  }

  function deliver(count: number): void {
    const from = log.stats().lanes[0]?.cursor ?? 0;
    log.transaction(() => log.settle({ lane: LANE, from, upTo: from + count, deliveredCount: count, rejected: [] }));
    log.transaction(() => log.reclaim.removeDelivered({ maxRecords: count, maxBytes: 1024 * MIB }));
  }

  function keepLimits(): void {
    while (limits.step());
  }

  it('does not go round in circles with reports of reports, when there is nothing else left to drop', () => {
    log.transaction(() => log.lanes.open({ uplink: 'plant', stream: 'gaps' }, 'oldest'));
    const payload = Buffer.alloc(4_000);
    const message = { source: 'mqtt', reason: 'empty', channel: 'x', receivedAt: 0, payload } as const;
    log.transaction(() => {
      for (let left = 1_000; left > 0; left -= 1) log.append({ kind: 'refused', message });
    });
    fill(100);
    limits.diskBytes = MIB;
    let steps = 0;
    while (limits.step() && steps < 1_000) steps += 1;
    expect(steps).toBeLessThan(1_000);
    const gaps = log.stats().lanes.find(({ stream }) => stream === 'gaps');
    expect(gaps).toMatchObject({ acceptedCount: 1, pendingCount: 1 });
    expect(limits.full).toContain('to be kept free');
  });

  it('gets back what is free already, and no record is dropped for it', () => {
    fill(20_000);
    deliver(18_000);
    log.space.checkpoint('TRUNCATE');
    limits.diskBytes = 16 * MIB;
    keepLimits();
    expect(limits.freeBytes()).toBeGreaterThan(4 * MIB);
    expect(limits.full).toBeNull();
    expect(log.stats().lanes[0]).toMatchObject({ droppedCount: 0, pendingCount: 2_000 });
  });

  it('costs the oldest records when nothing else is left', () => {
    fill(20_000);
    log.space.checkpoint('TRUNCATE');
    limits.diskBytes = 16 * MIB;
    keepLimits();
    expect(limits.freeBytes()).toBeGreaterThan(4 * MIB);
    expect(limits.full).toBeNull();
    const { droppedByReason, pendingCount = 0 } = log.stats().lanes[0] ?? {};
    expect(pendingCount).toBeGreaterThan(5_000);
    expect(droppedByReason).toEqual({ disk_reserve: 20_000 - pendingCount });
  });
});
