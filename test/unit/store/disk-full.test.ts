import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TimeQuality } from '../../../src/core/record.ts';
import { GroupCommit, type Work } from '../../../src/store/group-commit.ts';
import { Limits } from '../../../src/store/limits.ts';
import { Log } from '../../../src/store/log/log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { waitFor } from '../../support/wait-for.ts';

const WAL_BYTES = 256 * 1024;
const CLOCK = { now: () => Date.now(), elapsed: () => performance.now(), quality: (): TimeQuality => 'synced' };
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

describe('a full disk', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let limits: FaultyLimits;
  let commits: GroupCommit;

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
    } as const;
    log = new Log({ ...options, file: join(dataDir, 'log.db') });
    const bounds = { maxBytes: 2 ** 30, maxAgeMs: 1e9, keepFreeBytes: 0, whenFull: 'drop_oldest' } as const;
    limits = new FaultyLimits(log, { ...bounds, dataDir, walBytes: WAL_BYTES }, CLOCK);
    commits = new GroupCommit(log, limits, { commitIntervalMs: 0, onCommit: () => undefined });
  });

  afterEach(() => {
    limits.fault = null;
    commits.close();
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

  it('that stops reclaim is said and waited out, also while nothing is stored', async () => {
    limits.fault = new Database.SqliteError('database or disk is full', 'SQLITE_FULL');
    commits.tick();
    await waitFor(() => limits.stepCount > 1, { ...WAIT, what: 'another try' });
    expect(commits.full).toBe('the disk is full');
    limits.fault = null;
    await waitFor(() => commits.full === null, { ...WAIT, what: 'the disk to have space' });
  });

  it('that stops a commit keeps it waiting, in its order, until there is space', async () => {
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
  });
});
