import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { STREAMS } from '../../../src/core/stream.ts';
import { examineStore } from '../../../src/store/damage/examine.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';
import { waitFor } from '../../support/wait-for.ts';

const PAGE = 4096;
const TELEMETRY = { uplink: 'plant', stream: 'telemetry' } as const;
const EVENTS = { uplink: 'plant', stream: 'events' } as const;
const COUNT = 3_000;

describe('a damaged store', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let logFile: string;
  let stateFile: string;
  let store: OpenStore | undefined;
  let epoch: string;

  beforeEach(async () => {
    directory = storeDirectory();
    logFile = join(directory.dataDir, 'log.db');
    stateFile = join(directory.dataDir, 'state.db');
    const filled = await openStore({ dataDir: directory.dataDir });
    ({ epoch } = filled.opened);
    await filled.lanes.open(TELEMETRY, 'oldest');
    await filled.lanes.open(EVENTS, 'oldest');
    for (let index = 0; index < COUNT; index += 100) {
      const records = Array.from({ length: 100 }, (_, at) =>
        newRecord({
          stream: at % 2 ? 'events' : 'telemetry',
          value: Buffer.from(`{"n":${index + at}}${' '.repeat(200)}`),
        }),
      );
      await filled.client.append(entryOf(...records));
    }
    const { upTo, records } = filled.reader.read('telemetry', 0, { maxRecords: 500, maxBytes: 2 ** 24 });
    await filled.lanes.settle({ lane: TELEMETRY, from: 0, upTo, deliveredCount: records.length, rejected: [] });
    await filled.client.putSecret('kitchen', 'hash-of-kitchen');
    await filled.close();
  });

  afterEach(async () => {
    await store?.close();
    store = undefined;
    directory.remove();
  });

  function overwritePage(file: string, number: number): void {
    const fd = openSync(file, 'r+');
    writeSync(fd, Buffer.alloc(PAGE, 0xa5), 0, PAGE, (number - 1) * PAGE);
    closeSync(fd);
  }

  /** Pages that begin with this byte: 0x05 is an interior page of a table, 0x0d a leaf. */
  function pagesOfKind(kind: number): number[] {
    const bytes = readFileSync(logFile);
    const pages = Array.from({ length: bytes.length / PAGE }, (_, index) => index + 1);
    return pages.filter((number) => number > 1 && bytes[(number - 1) * PAGE] === kind);
  }

  async function reopen(): Promise<OpenStore> {
    store = await openStore({ dataDir: directory.dataDir });
    await store.client.salvaged();
    return store;
  }

  async function laneOf(stream: string) {
    const { lanes } = await (store as OpenStore).client.stats();
    return lanes.find((lane) => lane.stream === stream);
  }

  function gaps(): { stream: string; count: number; reason: string }[] {
    const { records } = (store as OpenStore).reader.read('gaps', 0, { maxRecords: 100, maxBytes: 2 ** 20 });
    return records.map(({ value }) => JSON.parse(Buffer.from(value).toString()));
  }

  async function closeAndCount(): Promise<readonly string[]> {
    await store?.close();
    store = undefined;
    return countStore(directory.dataDir, { deep: true }).problems;
  }

  it('is opened as it is when nothing is wrong with it', async () => {
    const { opened } = await reopen();
    expect(opened.repairs).toEqual([]);
    expect(existsSync(`${logFile}.damaged`)).toBe(false);
  });

  it('whose first page is gone gets a new log with the old epoch, and everything that was not delivered is put back', async () => {
    overwritePage(logFile, 1);
    const { opened, reader, client } = await reopen();
    expect(opened).toMatchObject({ epoch, repairs: [expect.stringContaining('log.db is damaged')] });
    // Without its schema SQLite can read nothing, so positions are not known: what was delivered is put back too.
    const { records } = reader.read('telemetry', 0, { maxRecords: COUNT, maxBytes: 2 ** 24 });
    expect(records).toHaveLength(COUNT / 2);
    const { firstSeq } = await client.append(entryOf(newRecord()));
    expect(firstSeq).toBeGreaterThan(1_000_000);
    expect(await closeAndCount()).toEqual([]);
  });

  it('whose interior pages are gone loses no record, and knows what was delivered', async () => {
    for (const page of pagesOfKind(0x05)) overwritePage(logFile, page);
    writeFileSync(`${logFile}.suspect`, '');
    const { reader } = await reopen();
    const { records } = reader.read('events', 0, { maxRecords: COUNT, maxBytes: 2 ** 24 });
    expect(records.map(({ value }) => JSON.parse(Buffer.from(value).toString()).n)).toEqual(
      Array.from({ length: COUNT / 2 }, (_, index) => 2 * index + 1),
    );
    expect(await laneOf('telemetry')).toMatchObject({ deliveredCount: 500, pendingCount: 1_000, droppedCount: 0 });
    expect(gaps()).toEqual([]);
    expect(await closeAndCount()).toEqual([]);
  });

  it('some of whose records are gone says of each uplink how many, and no wrong one is read', async () => {
    const leaves = pagesOfKind(0x0d);
    for (const page of leaves.slice(-20)) overwritePage(logFile, page);
    writeFileSync(`${logFile}.suspect`, '');
    await reopen();
    const lost = (await laneOf('telemetry'))?.droppedByReason['corruption'] ?? 0;
    const lostEvents = (await laneOf('events'))?.droppedByReason['corruption'] ?? 0;
    expect(lost + lostEvents).toBeGreaterThan(100);
    expect(gaps().map(({ stream, count, reason }) => [stream, count, reason])).toEqual(
      [
        ['telemetry', lost, 'corruption'],
        ['events', lostEvents, 'corruption'],
      ].filter(([, count]) => count !== 0),
    );
    expect(await closeAndCount()).toEqual([]);
  });

  it('goes on with a salvage that a kill cut short', async () => {
    overwritePage(logFile, 1);
    const first = await openStore({ dataDir: directory.dataDir });
    await first.close();
    const { reader } = await reopen();
    expect(reader.read('events', 0, { maxRecords: COUNT, maxBytes: 2 ** 24 }).records).toHaveLength(COUNT / 2);
    expect(await closeAndCount()).toEqual([]);
  });

  it('whose log was cut short is noticed at the start', async () => {
    const fd = openSync(logFile, 'r+');
    writeSync(fd, Buffer.alloc(PAGE), 0, PAGE, statSync(logFile).size - 40 * PAGE);
    closeSync(fd);
    const bytes = readFileSync(logFile);
    writeFileSync(logFile, bytes.subarray(0, bytes.length - 30 * PAGE));
    const { opened } = await reopen();
    expect(opened.repairs).toHaveLength(1);
    for (const stream of STREAMS) (store as OpenStore).reader.read(stream, 0, { maxRecords: COUNT, maxBytes: 2 ** 24 });
    expect(await closeAndCount()).toEqual([]);
  });

  it.each([
    ['state.db is whole', false],
    ['state.db lost its last commits as well', true],
  ])('whose log is gone says how far it may have got, and gives no seq out twice, when %s', async (_, isOld) => {
    const old = readFileSync(stateFile);
    rmSync(`${stateFile}.good`);
    const { client } = await reopen();
    const { firstSeq: before } = (await client.append(entryOf(newRecord()))) as { firstSeq: number };
    await store?.close();
    rmSync(`${stateFile}.good`);
    if (isOld) writeFileSync(stateFile, old);
    rmSync(logFile);
    const { opened, client: next, lanes, reader } = await reopen();
    expect(opened.epoch).toBe(epoch);
    await lanes.open(TELEMETRY, 'oldest');
    const { records } = reader.read('gaps', 0, { maxRecords: 1, maxBytes: 2 ** 20 });
    const gap = records.map(({ value }) => JSON.parse(Buffer.from(value).toString()))[0];
    expect(gap).toMatchObject({ stream: 'telemetry', first_seq: 1, count: 0 });
    expect(gap.last_seq).toBeGreaterThan(before);
    expect(opened.firstSeq).toBeGreaterThan(gap.last_seq);
    expect(records[0]?.seq).toBe(opened.firstSeq);
    expect((await next.append(entryOf(newRecord()))).firstSeq).toBeGreaterThan(opened.firstSeq);
  });

  it('whose state.db is damaged takes its good copy, and devices can log in', async () => {
    overwritePage(stateFile, 1);
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining('state.db is set aside')]);
    expect(await client.loadDevices()).toMatchObject([{ id: 'kitchen', secretHash: 'hash-of-kitchen' }]);
    const { firstSeq } = await client.append(entryOf(newRecord()));
    expect(firstSeq).toBeGreaterThan(1_000_000);
  });

  /** Where SQLite keeps who may write a file; behind that, who may read it [sqlite.org/fileformat2.html#file_format_version_numbers]. */
  const WRITE_VERSION_AT = 18;

  it.each([
    ['log.db', 'a letter of a column is capital', (bytes: Buffer) => bytes.lastIndexOf('started_at INTEGER'), 0x20],
    ['log.db', 'a column has another name', (bytes: Buffer) => bytes.lastIndexOf('started_at INTEGER'), 1],
    ['log.db', 'only a later SQLite may write it', () => WRITE_VERSION_AT, 1],
    ['log.db', 'only a much later SQLite may write it', () => WRITE_VERSION_AT, 0x80],
    ['log.db', 'only a later SQLite may read it', () => WRITE_VERSION_AT + 1, 4],
    ['state.db', 'only a later SQLite may write it', () => WRITE_VERSION_AT, 1],
    ['state.db', 'only a later SQLite may read it', () => WRITE_VERSION_AT + 1, 1],
    ['state.db', 'a letter of a column is capital', (bytes: Buffer) => bytes.indexOf('secret_hash   TEXT'), 0x20],
  ] as const)('whose %s says that %s is opened, with all that was accepted', async (name, _, at, mask) => {
    const file = join(directory.dataDir, name);
    const bytes = readFileSync(file);
    bytes.writeUInt8(bytes.readUInt8(at(bytes)) ^ mask, at(bytes));
    writeFileSync(file, bytes);
    const told = examineStore(directory.dataDir).findings.filter(({ kind }) => kind === 'repair');
    expect(told).toMatchObject([{ file }]);
    const { opened, client, reader } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining(`${name} is`)]);
    expect(await client.loadDevices()).toMatchObject([{ id: 'kitchen', secretHash: 'hash-of-kitchen' }]);
    expect(reader.read('events', 0, { maxRecords: COUNT, maxBytes: 2 ** 24 }).records).toHaveLength(COUNT / 2);
    expect(await closeAndCount()).toEqual([]);
  });

  it('whose state.db is an older one takes its good copy', async () => {
    const old = storeDirectory();
    await (await openStore({ dataDir: old.dataDir })).close();
    copyFileSync(join(old.dataDir, 'state.db'), stateFile);
    old.remove();
    store = await openStore({ dataDir: directory.dataDir });
    await store.client.putSecret('garden', 'hash-of-garden');
    await store.close();
    store = undefined;
    const { client } = await reopen();
    expect((await client.loadDevices()).map(({ id }) => id)).toContain('garden');
  });

  it('that has lost state.db and its copy starts all the same', async () => {
    for (const file of [stateFile, `${stateFile}.good`]) writeFileSync(file, 'no database at all'.repeat(500));
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([
      expect.stringContaining('state.db is set aside'),
      expect.stringContaining('nobody knows whether all that was stored last is in'),
    ]);
    expect(await client.loadDevices()).toEqual([]);
    const { firstSeq } = await client.append(entryOf(newRecord()));
    expect(firstSeq).toBeGreaterThan(COUNT);
  });

  /** Ends a life as a kill does, after which only these files are left as they were. */
  async function kill(running: OpenStore, ...names: readonly string[]): Promise<void> {
    const files = names.map((name) => [name, readFileSync(join(directory.dataDir, name))] as const);
    await running.close();
    for (const name of readdirSync(directory.dataDir)) rmSync(join(directory.dataDir, name));
    for (const [name, bytes] of files) writeFileSync(join(directory.dataDir, name), bytes);
  }

  it.each([['', 'state.db', 'state.db-wal'], [', and state.db with it']])(
    'reports a write-ahead log that is gone%s, although nobody knows what stood in it',
    async (_, ...state) => {
      const killed = await openStore({ dataDir: directory.dataDir });
      await killed.lanes.open({ uplink: 'plant', stream: 'gaps' }, 'oldest');
      await killed.client.append(entryOf(newRecord()));
      await kill(killed, 'log.db', 'state.db.good', ...state);
      const { opened } = await reopen();
      expect(opened.repairs).toContainEqual(expect.stringContaining('write-ahead log'));
      expect(gaps()).toMatchObject([
        { stream: 'telemetry', count: 0, reason: 'corruption' },
        { stream: 'events', count: 0, reason: 'corruption' },
      ]);
    },
  );

  it('reports nothing of a log that was closed in good order, when only state.db is gone', async () => {
    rmSync(stateFile);
    const { opened } = await reopen();
    expect(opened.repairs).toHaveLength(1);
    expect(gaps()).toEqual([]);
  });

  it('whose log.db is deleted gets what stands in the write-ahead log of that', async () => {
    directory.remove();
    directory = storeDirectory();
    const killed = await openStore({ dataDir: directory.dataDir });
    await killed.client.append(entryOf(...Array.from({ length: 100 }, () => newRecord())));
    await kill(killed, 'log.db-wal', 'state.db', 'state.db-wal', 'state.db.good');
    const { reader } = await reopen();
    expect(reader.read('telemetry', 0, { maxRecords: 200, maxBytes: 2 ** 20 }).records).toHaveLength(100);
  });

  function notedNewest(): number {
    const state = new Database(stateFile, { readonly: true });
    const noted = state.prepare<[], string>("SELECT value FROM meta WHERE name = 'log_newest'").pluck().get();
    state.close();
    return Number(noted);
  }

  it.each(['killed', 'closed'])(
    'that was %s, and got an old write-ahead log, says that it lost something',
    async (end) => {
      const old = await openStore({ dataDir: directory.dataDir });
      await old.client.append(entryOf(newRecord()));
      const wal = readFileSync(`${logFile}-wal`);
      await old.close();
      const later = await openStore({ dataDir: directory.dataDir });
      const { firstSeq } = await later.client.append(entryOf(newRecord(), newRecord()));
      await waitFor(() => notedNewest() > firstSeq, { what: 'the note of what was stored', timeoutMs: 10_000 });
      const files = ['log.db', 'state.db', 'state.db-wal', 'state.db.good'].map((name) =>
        join(directory.dataDir, name),
      );
      const killed = files.map((file) => [file, readFileSync(file)] as const);
      await later.close();
      if (end === 'killed') for (const [file, bytes] of killed) writeFileSync(file, bytes);
      writeFileSync(`${logFile}-wal`, wal);
      const { opened } = await reopen();
      expect(opened.repairs).toHaveLength(1);
      expect(gaps()).toEqual([
        expect.objectContaining({ stream: 'telemetry', count: 0, reason: 'corruption' }),
        expect.objectContaining({ stream: 'events', count: 0, reason: 'corruption' }),
      ]);
    },
  );
});
