import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { GroupCommit, type Work } from '../../../src/store/group-commit.ts';
import { Limits } from '../../../src/store/limits.ts';
import { Log } from '../../../src/store/log/log.ts';
import { Outage } from '../../../src/store/outage.ts';
import { Reserve } from '../../../src/store/reserve.ts';
import { NO_SKIPS, NOTHING_ASIDE } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { waitFor } from '../../support/wait-for.ts';

const WAL_BYTES = 256 * 1024;
const CLOCK = {
  now: () => Date.now(),
  elapsed: () => performance.now(),
  quality: () => 'synced' as const,
  bootTime: () => undefined,
};
const WAIT = { timeoutMs: 10_000 };

class FaultyLimits extends Limits {
  fault: Error | null = null;
  stepCount = 0;

  override step(): boolean {
    this.stepCount += 1;
    if (this.fault !== null) throw this.fault;
    return super.step();
  }
}

describe('a disk', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let limits: FaultyLimits;
  let commits: GroupCommit;
  let outage: Outage;
  let reserve: Reserve;
  let reopenCount = 0;

  beforeEach(() => {
    directory = storeDirectory();
    const { dataDir } = directory;
    const seqs = { reservedSeq: () => 0, reserveSeq: (needed: number) => needed + 1_000 };
    const options = {
      durability: 'full',
      walBytes: WAL_BYTES,
      keptBytes: WAL_BYTES,
      machineId: 'm',
      idempotency: { windowMs: 1e9, maxKeys: 100, maxBytes: 2 ** 20 },
      clock: CLOCK,
      seqs,
      skips: NO_SKIPS,
    } as const;
    log = new Log({ ...options, file: join(dataDir, 'log.db') });
    const bounds = { maxBytes: 2 ** 30, maxAgeMs: 1e9, keepFreeBytes: 0, whenFull: 'drop_oldest' } as const;
    limits = new FaultyLimits(log, { ...bounds, dataDir, walBytes: WAL_BYTES, aside: NOTHING_ASIDE }, CLOCK);
    reserve = new Reserve({ dataDir, bytes: 2 * WAL_BYTES });
    reserve.take();
    reopenCount = 0;
    const reopen = () => {
      reopenCount += 1;
      log.reopen();
    };
    outage = new Outage({
      reserve,
      reopen,
      readError: () => undefined,
      onDamage: () => undefined,
      retry: () => commits.tick(),
    });
    commits = new GroupCommit(log, limits, { commitIntervalMs: 0, outage, onCommit: () => undefined });
  });

  afterEach(() => {
    limits.fault = null;
    commits.close();
    outage.close();
    log.close();
    directory.remove();
  });

  const outcomes: string[] = [];
  const work = (apply: () => void = () => undefined): Work => ({
    grows: true,
    apply,
    done: () => outcomes.push('done'),
    failed: () => outcomes.push('failed'),
  });

  it('that is full and stops reclaim is said and waited out, also while nothing is stored', async () => {
    limits.fault = new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
    commits.tick();
    await waitFor(() => limits.stepCount > 1, { ...WAIT, what: 'another try' });
    expect(commits.full).toBe('the disk is full');
    limits.fault = null;
    await waitFor(() => commits.full === null, { ...WAIT, what: 'the disk to have space' });
  });

  it('that is full and stops a commit keeps it waiting, in its order, until there is space', async () => {
    outcomes.length = 0;
    let isFull = true;
    commits.submit(
      work(() => {
        if (isFull) throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
        outcomes.push('first');
      }),
    );
    await waitFor(() => commits.full !== null, { ...WAIT, what: 'the store to say that it is full' });
    commits.submit(work(() => outcomes.push('second')));
    isFull = false;
    await waitFor(() => outcomes.length === 4, { ...WAIT, what: 'both to be stored' });
    expect(outcomes).toEqual(['first', 'second', 'done', 'done']);
    expect(reopenCount).toBe(0);
  });

  it('that is full still takes what shrinks, and nothing else, on the space of the reserve, until there is room for that again', async () => {
    outcomes.length = 0;
    const taken = vi.spyOn(reserve, 'take').mockReturnValue(false);
    commits.submit(
      work(() => {
        throw new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
      }),
    );
    await waitFor(() => taken.mock.calls.length > 1, { ...WAIT, what: 'the reserve to be missed' });
    expect(existsSync(join(directory.dataDir, 'reserve'))).toBe(false);
    commits.submit({ ...work(() => outcomes.push('put back')), grows: 'put_back' });
    commits.submit({ ...work(() => outcomes.push('settled')), grows: false });
    await waitFor(() => outcomes.length === 2, { ...WAIT, what: 'the work that shrinks' });
    expect(outcomes).toEqual(['settled', 'done']);
    expect(commits.full).toBe('the disk is full');
  });

  it('that fails is written to again only over files that were opened again', async () => {
    outcomes.length = 0;
    commits.submit(
      work(() => {
        if (reopenCount === 0) throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_FSYNC');
        log.lanes.open({ uplink: 'plant', stream: 'events' }, 'oldest');
      }),
    );
    await waitFor(() => commits.full !== null, { ...WAIT, what: 'the store to say that the disk fails' });
    expect(commits.full).toBe('the disk fails (disk I/O error, SQLITE_IOERR_FSYNC)');
    await waitFor(() => outcomes.length === 1, { ...WAIT, what: 'the work to be done' });
    expect(reopenCount).toBe(1);
    expect(log.lanes.uplinks()).toEqual(['plant']);
  });

  it('that is given back with another store on it ends the process, because nothing can be known of its seqs', () => {
    rmSync(directory.dataDir, { recursive: true });
    mkdirSync(directory.dataDir);
    const other = new Database(join(directory.dataDir, 'log.db'));
    other.close();
    expect(() => log.reopen()).toThrow(/another file/);
  });

  it('keeps what is in flight when files are opened again', () => {
    const lane = { uplink: 'plant', stream: 'telemetry' } as const;
    log.transaction(() => {
      log.lanes.open(lane, 'oldest');
      log.records.append('telemetry', encodeRecord(newRecord(), 0));
    });
    log.lanes.claim(lane, 1);
    log.reopen();
    expect(log.lanes.ofStream('telemetry').map(({ claimedUpTo }) => claimedUpTo)).toEqual([1]);
  });
});
