import { Buffer } from 'node:buffer';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { Salvage } from '../../../src/store/damage/salvage.ts';
import { setAside, setAsideName } from '../../../src/store/damage/set-aside.ts';
import { GroupCommit } from '../../../src/store/group-commit.ts';
import { Limits } from '../../../src/store/limits.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { Outage } from '../../../src/store/outage.ts';
import { NOTHING_ASIDE, openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
/** More than one step puts back. */
const COUNT = 4_000;
const RECORD = newRecord({ value: Buffer.alloc(940, 'x') });
const CLOCK = {
  now: Date.now,
  elapsed: () => performance.now(),
  quality: () => 'synced' as const,
  bootTime: () => undefined,
};
const RESERVE = { take: () => true, release: () => undefined };

describe('a damaged log for which the disk has too little room', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let file: string;
  let log: Log;
  let outage: Outage;
  let commits: GroupCommit;

  beforeEach(() => {
    directory = storeDirectory();
    const { dataDir } = directory;
    file = join(dataDir, 'log.db');
    const before = openLog(dataDir, CLOCK);
    before.transaction(() => {
      before.lanes.open(LANE, 'oldest');
      for (let left = COUNT; left > 0; left -= 1) before.records.append('telemetry', encodeRecord(RECORD, 0));
    });
    before.close();
    setAside(file);
    log = openLog(dataDir, CLOCK, COUNT);
    log.transaction(() => log.recovery.takeOver(setAsideName(file)));
    const bounds = { maxBytes: 2 ** 30, maxAgeMs: 1e12, keepFreeBytes: 0, whenFull: 'drop_oldest' } as const;
    const limits = new Limits(log, { ...bounds, dataDir, walBytes: 2 ** 18, aside: NOTHING_ASIDE }, CLOCK);
    const parts = {
      reserve: RESERVE,
      reopen: () => log.reopen(),
      readError: () => undefined,
      onDamage: () => undefined,
    };
    outage = new Outage({ ...parts, retry: () => commits.tick() });
    commits = new GroupCommit(log, limits, { commitIntervalMs: 0, outage, onCommit: () => undefined });
  });

  afterEach(() => {
    commits.close();
    outage.close();
    log.close();
    directory.remove();
  });

  it('is put back as far as there is, the rest is told and given up, and what is set aside makes room', async () => {
    let steps = 0;
    const hasRoom = () => {
      steps += 1;
      return steps <= 2;
    };
    const salvage = new Salvage({ log, file, roots: log.roots(), hasRoom });
    salvage.start(commits);
    const { putBackCount, lostCount } = await new Promise<{ putBackCount: number; lostCount: number }>((resolve) =>
      salvage.whenEnded(resolve),
    );
    expect(putBackCount).toBeGreaterThan(1_000);
    expect(lostCount).toBe(COUNT - putBackCount);
    expect(log.stats().lanes[0]).toMatchObject({
      pendingCount: putBackCount,
      droppedByReason: { corruption: lostCount },
    });
    expect(existsSync(setAsideName(file))).toBe(false);
  });
});
