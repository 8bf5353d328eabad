import { Buffer } from 'node:buffer';
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import { examineStore } from '../../../src/store/damage/examine.ts';
import { setAside, setAsideName } from '../../../src/store/damage/set-aside.ts';
import { killStore, type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

const COUNT = 1_000;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const ALL = { maxRecords: 2 * COUNT, maxBytes: 2 ** 24 };

describe('a log that is set aside', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let dataDir: string;
  let logFile: string;
  let store: OpenStore | undefined;

  beforeEach(async () => {
    directory = storeDirectory();
    ({ dataDir } = directory);
    logFile = join(dataDir, 'log.db');
    await reopen();
    await opened().lanes.open(LANE, 'oldest');
    await opened().lanes.open({ ...LANE, stream: 'gaps' }, 'oldest');
    const records = Array.from({ length: COUNT }, (_, n) =>
      newRecord({ value: Buffer.from(`{"n":${n}}${' '.repeat(200)}`) }),
    );
    await opened().client.append(entryOf(...records));
  });

  afterEach(async () => {
    await close();
    directory.remove();
  });

  function opened(): OpenStore {
    if (store === undefined) throw new Error('the store is closed');
    return store;
  }

  async function reopen(): Promise<OpenStore> {
    store = await openStore({ dataDir });
    await store.client.salvaged();
    return store;
  }

  async function close(): Promise<void> {
    await store?.close();
    store = undefined;
  }

  async function kill(): Promise<void> {
    await killStore(opened());
    store = undefined;
  }

  function change(name: 'log.db' | 'state.db', ...statements: readonly string[]): void {
    const db = new Database(join(dataDir, name));
    for (const statement of statements) db.exec(statement);
    db.close();
  }

  function noteInState(salvage: string): void {
    change(
      'state.db',
      `INSERT INTO meta (name, value) VALUES ('log_salvage', '${salvage}')`,
      "INSERT INTO meta (name, value) SELECT 'log_salvage_roots', value FROM meta WHERE name = 'log_roots'",
    );
  }

  /** As a gateway leaves it that is killed when everything is taken over and nothing is put back yet. */
  function cutShort(...statements: readonly string[]): void {
    copyFileSync(logFile, setAsideName(logFile));
    change('log.db', 'DELETE FROM telemetry', 'UPDATE streams SET removed = accepted', ...statements);
  }

  async function lane() {
    return (await opened().client.stats()).lanes.find(({ stream }) => stream === 'telemetry');
  }

  function gaps(): Pick<Gap, 'first_seq' | 'last_seq' | 'count'>[] {
    const { records } = opened().reader.read('gaps', 0, ALL);
    return records.map(({ value }) => {
      const { first_seq, last_seq, count } = JSON.parse(Buffer.from(value).toString()) as Gap;
      return { first_seq, last_seq, count };
    });
  }

  function findings(): readonly string[] {
    return examineStore(dataDir).findings.map(({ text }) => text);
  }

  async function expectEverythingBack(gapCount = 0): Promise<void> {
    expect(opened().reader.read('telemetry', 0, ALL).records).toHaveLength(COUNT);
    expect(await lane()).toMatchObject({ acceptedCount: COUNT, pendingCount: COUNT, droppedCount: 0 });
    expect(gaps()).toHaveLength(gapCount);
    await close();
    expect(countStore(dataDir, { deep: true }).problems).toEqual([]);
  }

  const UNFINISHED = `INSERT INTO meta VALUES ('salvage', '{"telemetry":${COUNT}}')`;

  it('and removed before all of it was put back, is told to be lost, and the gateway goes on', async () => {
    await close();
    cutShort(UNFINISHED);
    rmSync(setAsideName(logFile));
    expect(findings()).toContainEqual(expect.stringContaining('it is gone'));
    const { opened: told } = await reopen();
    expect(told.repairs).toEqual([expect.stringContaining('log.db.damaged is gone')]);
    expect(await lane()).toMatchObject({ pendingCount: 0, droppedByReason: { corruption: COUNT } });
    expect(gaps()).toEqual([{ first_seq: 1, last_seq: COUNT, count: COUNT }]);
    await close();
    expect((await reopen()).opened.repairs).toEqual([]);
    await opened().client.append(entryOf(newRecord()));
    await close();
    expect(countStore(dataDir, { deep: true }).problems).toEqual([]);
    expect((await reopen()).opened.repairs).toEqual([]);
    expect(gaps()).toHaveLength(1);
  });

  it('must not be removed before all of it is put back, as the doctor says', async () => {
    await close();
    cutShort(UNFINISHED);
    expect(findings()).toContainEqual(expect.stringContaining('not all of it is put back'));
    expect(findings()).not.toContainEqual(expect.stringContaining('may be removed'));
    await reopen();
    await close();
    expect(findings()).toContainEqual(expect.stringContaining('may be removed'));
  });

  it('by an earlier version, which was killed before all of it was put back, is put back', async () => {
    await close();
    cutShort();
    noteInState('taken_over');
    expect(findings()).toContainEqual(expect.stringContaining('not all of it is put back'));
    await reopen();
    await expectEverythingBack();
  });

  describe.each(['with', 'without'])(
    'and whose own file was not moved before a kill, %s the mark of damage',
    (mark) => {
      beforeEach(async () => {
        await kill();
        noteInState('begun');
        if (mark === 'with') writeFileSync(`${logFile}.suspect`, '');
      });

      it('is set aside as a whole, and put back', async () => {
        renameSync(`${logFile}-wal`, `${setAsideName(logFile)}-wal`);
        await reopen();
        expect(existsSync(setAsideName(logFile))).toBe(true);
        await expectEverythingBack(1);
      });

      it('is put back when nothing else was done before the kill', async () => {
        setAside(logFile);
        await reopen();
        await expectEverythingBack(1);
      });

      it('is put back when the new one is damaged already', async () => {
        setAside(logFile);
        writeFileSync(logFile, 'no database at all'.repeat(500));
        await reopen();
        await expectEverythingBack(1);
      });
    },
  );

  /** What was put back by then is there; the rest goes with the file that the new one takes the place of. */
  it.each<[string, string, () => void]>([
    ['and still counts', `1-${COUNT}: ${COUNT - 300}`, () => undefined],
    ['and lost its schema', '1-11000000: 0', () => writeFileSync(logFile, Buffer.alloc(4096, 0xa5), { flag: 'r+' })],
  ])('tells what is lost when the new one is damaged %s, before all is put back', async (_, told, destroy) => {
    await close();
    cutShort(UNFINISHED);
    const from = new Database(logFile);
    from.exec(`ATTACH '${setAsideName(logFile)}' AS aside`);
    from.exec('INSERT INTO telemetry SELECT * FROM aside.telemetry WHERE seq <= 300');
    from.exec("UPDATE streams SET removed = removed - 300 WHERE stream = 'telemetry'");
    from.close();
    destroy();
    writeFileSync(`${logFile}.suspect`, '');
    await reopen();
    for (const stream of ['telemetry', 'gaps'] as const) await opened().lanes.open({ ...LANE, stream }, 'oldest');
    expect(opened().reader.read('telemetry', 0, ALL).records).toHaveLength(300);
    expect(await lane()).toMatchObject({ pendingCount: 300 });
    expect(gaps().map(({ first_seq, last_seq, count }) => `${first_seq}-${last_seq}: ${count}`)).toEqual([told]);
    expect(readdirSync(dataDir).filter((name) => name.endsWith('.damaged'))).toEqual(['log.db.damaged']);
    await close();
    expect(countStore(dataDir, { deep: true }).problems).toEqual([]);
  });

  it('is put back when the write-ahead log of the new one is cut before all of it is', async () => {
    await close();
    writeFileSync(logFile, Buffer.alloc(4096, 0xa5), { flag: 'r+' });
    store = await openStore({ dataDir });
    await kill();
    writeFileSync(`${logFile}-wal`, '');
    await reopen();
    for (const stream of ['telemetry', 'gaps'] as const) await opened().lanes.open({ ...LANE, stream }, 'oldest');
    expect(opened().reader.read('telemetry', 0, ALL).records).toHaveLength(COUNT);
    expect(gaps()).toEqual([{ first_seq: 1, last_seq: 11_000_000, count: 0 }]);
    await close();
    expect(countStore(dataDir, { deep: true }).problems).toEqual([]);
  });

  it('that was taken over, before a kill that came before it was noted, makes room for the next one', async () => {
    await close();
    cutShort(UNFINISHED);
    noteInState('begun');
    await reopen();
    await close();
    const whole = readFileSync(logFile);
    writeFileSync(`${logFile}.suspect`, '');
    const { client } = await reopen();
    expect(readFileSync(setAsideName(logFile)).equals(whole)).toBe(true);
    expect((await client.stats()).setAsideBytes).toBeGreaterThanOrEqual(whole.byteLength);
    await expectEverythingBack();
  });
});
