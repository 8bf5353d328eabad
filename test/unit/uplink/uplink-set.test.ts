import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LinkStatus } from '../../../src/core/upstream.ts';
import type { UplinkOptions } from '../../../src/uplink/options.ts';
import { createUplinkSet, type UplinkSet } from '../../../src/uplink/uplink-set.ts';
import { readEventFiles } from '../../support/event-files.ts';
import { FakeLog } from '../../support/fake-log.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { newRecord } from '../../support/records.ts';
import { fileOptions, GATEWAY, IDENTITY, kafkaOptions } from '../../support/uplink-options.ts';
import { waitFor } from '../../support/wait-for.ts';

const WAIT = { timeoutMs: 5_000 };

describe('the set of uplinks', () => {
  let directory: string;
  let log: FakeLog;
  let statuses: Map<string, LinkStatus>;
  let set: UplinkSet;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-uplinks-'));
    log = new FakeLog();
    statuses = new Map();
  });
  afterEach(async () => {
    await set.stop({ deadlineMs: 2_000 });
    rmSync(directory, { recursive: true, force: true });
  });

  function make(uplinks: readonly UplinkOptions[]): UplinkSet {
    set = createUplinkSet({
      routes: [],
      uplinks,
      ...IDENTITY,
      reader: log,
      laneLog: log,
      logger: new MemoryLogger(),
      gate: Promise.resolve(),
      onStatus: (name, status) => statuses.set(name, status),
    });
    return set;
  }

  const file = (name: string): UplinkOptions => fileOptions({ name, directory: join(directory, name) });
  const linesOf = (name: string): number[] =>
    readEventFiles(join(directory, name), GATEWAY, 'telemetry').map(({ seq }) => seq);

  it('runs several uplinks, each with its own positions', async () => {
    await make([file('one'), file('two')]).start();
    const seqs = log.append([newRecord(), newRecord()]);
    await waitFor(() => linesOf('one').length === 2 && linesOf('two').length === 2, { ...WAIT, what: 'both files' });
    expect([linesOf('one'), linesOf('two')]).toEqual([seqs, seqs]);
    expect(new Set(statuses.keys())).toEqual(new Set(['one', 'two']));
  });

  it('lets one uplink work while another cannot', async () => {
    await make([kafkaOptions({ brokers: ['127.0.0.1:1'] }), file('one')]).start();
    log.append([newRecord()]);
    await waitFor(() => linesOf('one').length === 1, { ...WAIT, what: 'the file' });
    await waitFor(() => statuses.get('plant')?.state === 'down', { ...WAIT, what: 'the other to be down' });
    expect(statuses.get('plant')?.reason).toContain('127.0.0.1:1');
  });

  it('pauses and resumes by name, also before it starts', async () => {
    make([file('one')]);
    expect(await set.pause('one')).toBe(true);
    expect(await set.pause('none')).toBe(false);
    expect(await set.resume('none')).toBe(false);
    await set.start();
    log.append([newRecord()]);
    expect(statuses.get('one')?.state).toBe('paused');
    expect(await set.resume('one')).toBe(true);
    await waitFor(() => linesOf('one').length === 1, { ...WAIT, what: 'the file' });
  });

  it('refuses two file uplinks in one directory: each would take the records of the other for its own', async () => {
    make([fileOptions({ name: 'one', directory }), fileOptions({ name: 'two', directory })]);
    await expect(set.start()).rejects.toMatchObject({ code: 'shared_directory' });
  });

  it('is content without uplinks', async () => {
    await make([]).start();
  });
});
