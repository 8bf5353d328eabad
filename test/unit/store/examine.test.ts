import { Buffer } from 'node:buffer';
import { copyFileSync, cpSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examineStore } from '../../../src/store/damage/examine.ts';
import type { Finding } from '../../../src/store/damage/finding.ts';
import { StoreFiles } from '../../../src/store/store-files.ts';
import {
  killStore,
  type OpenStore,
  openStore,
  STORE_DEFAULTS,
  SYSTEM_CLOCK,
  storeDirectory,
} from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { waitFor } from '../../support/wait-for.ts';

const COUNT = 1_000;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;

describe('what the doctor says of a store that was killed', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let dataDir: string;
  /** The files as they were before the last records and devices. */
  let earlier: string;

  beforeEach(async () => {
    directory = storeDirectory();
    ({ dataDir } = directory);
    earlier = `${dataDir}.earlier`;
    const store = await openStore({ dataDir });
    await store.lanes.open(LANE, 'oldest');
    await append(store);
    await store.close();
    cpSync(dataDir, earlier, { recursive: true });
    const next = await openStore({ dataDir });
    await append(next);
    const copyBefore = generationOfCopy();
    await next.client.putSecret('kitchen', 'hash-of-kitchen');
    await waitFor(() => generationOfCopy() > copyBefore, { what: 'a copy that knows the device', timeoutMs: 20_000 });
    await killStore(next);
  });
  afterEach(() => {
    directory.remove();
    rmSync(earlier, { recursive: true });
  });

  async function append(store: OpenStore): Promise<void> {
    const records = Array.from({ length: COUNT }, (_, n) =>
      newRecord({ value: Buffer.from(`{"n":${n}}${' '.repeat(900)}`) }),
    );
    await store.client.append(entryOf(...records));
  }

  function generationOfCopy(): number {
    const copy = new Database(join(dataDir, 'state.db.good'), { readonly: true });
    const generation = copy.prepare("SELECT value FROM meta WHERE name = 'generation'").pluck().get();
    copy.close();
    return Number(generation);
  }

  function change(name: 'log.db' | 'state.db', statement: string): void {
    const db = new Database(join(dataDir, name));
    db.exec(statement);
    db.close();
  }

  const remove = (name: string) => rmSync(join(dataDir, name));

  function faults(): readonly Finding[] {
    return examineStore(dataDir).findings.filter(({ kind }) => kind !== 'good' && kind !== 'note');
  }

  async function start(): Promise<readonly string[]> {
    const store = await openStore({ dataDir });
    await store.client.salvaged();
    await store.close();
    return store.opened.repairs;
  }

  it('is that it is whole when nothing is wrong with it, and the start has nothing to repair', async () => {
    expect(faults()).toEqual([]);
    expect(await start()).toEqual([]);
    expect(faults()).toEqual([]);
  });

  it.each<[string, string, () => void]>([
    ['whose log.db-wal is deleted', 'its write-ahead log is gone', () => remove('log.db-wal')],
    ['whose log.db is deleted', 'log.db: it is gone', () => remove('log.db')],
    ['whose state.db is deleted', 'state.db: it is gone; its copy takes its place', () => remove('state.db')],
    ['whose state.db-wal is deleted', 'it lacks what was written last; its copy', () => remove('state.db-wal')],
    [
      'whose state.db-wal is deleted with the copy',
      'state.db: it lacks what was written last, and there is no copy',
      () => {
        remove('state.db-wal');
        remove('state.db.good');
      },
    ],
    [
      'whose state.db-wal is deleted, and whose copy is damaged',
      'devices that were added last must be added again',
      () => {
        remove('state.db-wal');
        writeFileSync(join(dataDir, 'state.db.good'), Buffer.alloc(50_000, 7));
      },
    ],
    [
      'whose log.db is an older one',
      'what was stored last is not in it',
      () => {
        remove('log.db-wal');
        copyFileSync(join(earlier, 'log.db'), join(dataDir, 'log.db'));
        writeFileSync(join(dataDir, 'log.db-wal'), 'x'.repeat(100));
      },
    ],
    [
      'whose newest records are missing',
      'counted was up to',
      () => change('log.db', 'DELETE FROM telemetry WHERE seq > 500'),
    ],
    [
      'of which more was delivered than was accepted',
      'than was accepted',
      () => change('log.db', "UPDATE lanes SET base = 5000, sum = NULL WHERE stream = 'telemetry'"),
    ],
    [
      'a column of which is called otherwise',
      'its schema is not what was written',
      () => change('log.db', 'ALTER TABLE rejects RENAME COLUMN detail TO detaim'),
    ],
  ])('%s is told before the start repairs it, and is whole after that', async (_, text, damage) => {
    damage();
    const told = faults().map(({ file, text: what }) => `${file}: ${what}`);
    expect(told).toContainEqual(expect.stringContaining(text));
    expect(await start()).not.toEqual([]);
    expect(faults()).toEqual([]);
  });

  it('is that a salvage is not finished, until it is', async () => {
    writeFileSync(join(dataDir, 'log.db.suspect'), '');
    const store = await openStore({ dataDir });
    await killStore(store);
    expect(faults()).toMatchObject([
      { kind: 'repair', text: expect.stringContaining('not all of it is put back yet') },
    ]);
    await start();
    expect(faults()).toEqual([]);
  });

  it('is that it is whole behind a start that came to no end once both files were open', async () => {
    StoreFiles.open({ ...STORE_DEFAULTS, dataDir }, SYSTEM_CLOCK).abandon();
    expect(faults()).toEqual([]);
    expect(await start()).toEqual([]);
  });

  it('is that it is whole when state.db is made anew, and a kill comes before anything is stored', async () => {
    for (const name of ['state.db', 'state.db-wal', 'state.db.good']) remove(name);
    expect(faults()).toMatchObject([{ text: expect.stringContaining('devices must be added again') }]);
    const store = await openStore({ dataDir });
    expect(store.opened.repairs).toEqual([
      expect.stringContaining('devices must be added again'),
      expect.stringContaining('nobody knows whether all that was stored last is in'),
    ]);
    await killStore(store);
    expect(faults()).toEqual([]);
    expect(await start()).toEqual([]);
  });

  it.each(['log.db', 'state.db'] as const)('is that no start takes a newer %s', async (name) => {
    change(name, 'CREATE TABLE of_tomorrow (id); PRAGMA user_version = 99');
    const text = expect.stringContaining('newer version of Sluice');
    expect(faults()).toContainEqual({ file: join(dataDir, name), kind: 'too_new', text });
    await expect(start()).rejects.toMatchObject({ code: 'store_too_new' });
  });
});
