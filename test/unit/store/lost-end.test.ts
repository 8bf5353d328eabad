import { Buffer } from 'node:buffer';
import { readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { State } from '../../../src/store/state/state.ts';
import { killStore, type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { waitFor } from '../../support/wait-for.ts';

const STREAMS = ['telemetry', 'events', 'gaps'] as const;
const ALL = { maxRecords: 10_000, maxBytes: 2 ** 27 };
/** In one commit. */
const BATCH = 500;

describe('a store whose files lost their ends', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let dataDir: string;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    ({ dataDir } = directory);
    await open();
    await append(1);
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function open(): Promise<OpenStore> {
    store = await openStore({ dataDir });
    await store.client.salvaged();
    for (const stream of STREAMS) await store.lanes.open({ uplink: 'plant', stream }, 'oldest');
    return store;
  }

  async function openAgain(): Promise<OpenStore> {
    await store.close();
    return open();
  }

  /** Events, because what was derived of telemetry would tell how far that got. Returns the first seq. */
  async function append(count: number, bytes = 10): Promise<number> {
    const value = Buffer.from('x'.repeat(bytes));
    const records = Array.from({ length: count }, () => newRecord({ stream: 'events', eventType: 'x', value }));
    return (await store.client.append(entryOf(...records))).firstSeq;
  }

  /** More than the write-ahead log holds, so that most is carried over, and a little more that is not. Returns the last seq. */
  async function fill(): Promise<number> {
    for (let batch = 0; batch < 12; batch += 1) await append(BATCH, 1_000);
    await waitFor(() => statSync(file('log.db')).size > 4_000_000, {
      what: 'the write-ahead log to be carried over',
      timeoutMs: 10_000,
    });
    return (await append(BATCH, 100)) + BATCH - 1;
  }

  function file(name: string): string {
    return join(dataDir, name);
  }

  function remove(...names: readonly string[]): void {
    for (const name of names) rmSync(file(name));
  }

  function gaps(stream = 'events'): { first_seq: number; last_seq: number; count: number }[] {
    const { records } = store.reader.read('gaps', 0, ALL);
    return records
      .map(({ value }) => JSON.parse(Buffer.from(value).toString()))
      .filter((gap: { stream: string }) => gap.stream === stream);
  }

  function lastStored(): number {
    return store.reader.read('events', 0, ALL).records.at(-1)?.seq ?? 0;
  }

  it.each([
    ['log.db-wal, state.db-wal and the good copy are gone', ['log.db-wal', 'state.db-wal', 'state.db.good']],
    ['log.db-wal, state.db and the good copy are gone', ['log.db-wal', 'state.db-wal', 'state.db', 'state.db.good']],
  ])('tells of what may be lost, and gives no seq out twice, when %s', async (_, names) => {
    await openAgain();
    const last = await fill();
    await killStore(store);
    remove(...names);
    const { opened } = await open();
    const kept = lastStored();
    expect(kept).toBeLessThan(last);
    expect(opened.repairs.length).toBeGreaterThan(0);
    expect(gaps()).toEqual([expect.objectContaining({ first_seq: kept + 1, count: 0 })]);
    expect(gaps()[0]?.last_seq).toBeGreaterThanOrEqual(last);
    expect(await append(1)).toBeGreaterThan(last);
    expect((await openAgain()).opened.repairs).toEqual([]);
    expect(gaps()).toHaveLength(1);
  });

  it('gives no seq out twice when both write-ahead logs lost their last commits', async () => {
    await openAgain();
    const sizes = ['state.db-wal', 'log.db-wal'].map((name) => [name, statSync(file(name)).size] as const);
    const first = await append(1);
    await killStore(store);
    for (const [name, size] of sizes) truncateSync(file(name), size);
    await open();
    expect(await append(1)).toBeGreaterThan(first);
  });

  it('notices that its write-ahead log was emptied in a life that began with a loss', async () => {
    await openAgain();
    await append(1);
    await killStore(store);
    remove('log.db-wal');
    await open();
    expect(gaps()).toHaveLength(1);
    const last = await fill();
    await killStore(store);
    writeFileSync(file('log.db-wal'), '');
    const { opened } = await open();
    expect(opened.repairs).toEqual([expect.stringContaining('the write-ahead log of')]);
    expect(gaps()).toHaveLength(2);
    expect(gaps()[1]?.last_seq).toBeGreaterThanOrEqual(last);
  });

  it('tells it once when a kill comes before state.db notes that it was told', async () => {
    await openAgain();
    await append(1);
    await killStore(store);
    remove('log.db-wal');
    const noteAll = vi.spyOn(State.prototype, 'noteAll').mockImplementation(() => {
      throw new Error('killed');
    });
    await expect(openStore({ dataDir })).rejects.toThrow('killed');
    noteAll.mockRestore();
    await open();
    expect(gaps()).toHaveLength(1);
    await openAgain();
    expect(gaps()).toHaveLength(1);
  });

  it('begins behind all that its log counts when state.db is of an older day', async () => {
    await store.close();
    const old = readFileSync(file('state.db'));
    await open();
    await append(1);
    await openAgain();
    const last = await append(1);
    await store.close();
    writeFileSync(file('state.db'), old);
    remove('state.db.good');
    const { opened } = await open();
    expect(opened.firstSeq).toBeGreaterThan(last);
    expect(gaps()).toEqual([expect.objectContaining({ first_seq: last + 1, count: 0 })]);
    expect(gaps()[0]?.last_seq).toBeLessThan(opened.firstSeq);
    expect(await append(1)).toBeGreaterThan(last);
  });
});
