import { Buffer } from 'node:buffer';
import { closeSync, existsSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import type { Seq } from '../../../src/core/record.ts';
import type { StoreOptions } from '../../../src/store/protocol.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';
import { waitFor } from '../../support/wait-for.ts';

const MIB = 1024 * 1024;
const PAGE = 4096;
const TABLE_LEAF = 0x0d;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const VALUE = Buffer.from(`{"padding":"${'x'.repeat(900)}"}`);
const BATCH = 100;
const ALL = { maxRecords: 1e6, maxBytes: 1024 * MIB };

describe('a full buffer whose log is put back', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let logFile: string;
  let store: OpenStore;

  beforeEach(() => {
    directory = storeDirectory();
    logFile = join(directory.dataDir, 'log.db');
  });

  afterEach(async () => {
    vi.restoreAllMocks();
    await store.close();
    directory.remove();
  });

  async function open(options: Partial<StoreOptions>): Promise<void> {
    store = await openStore({ dataDir: directory.dataDir, maxBytes: 8 * MIB, whenFull: 'drop_oldest', ...options });
  }

  async function append(batches: number): Promise<void> {
    for (let batch = 0; batch < batches; batch += 1) {
      await store.client.append(entryOf(...Array.from({ length: BATCH }, () => newRecord({ value: VALUE }))));
    }
  }

  /** Far more than it holds, so that its pages were used again several times; and it is found damaged. */
  async function fillAndClose(): Promise<{ pending: Seq[]; cursor: Seq; droppedCount: number }> {
    await open({});
    for (const stream of ['telemetry', 'gaps'] as const) await store.lanes.open({ uplink: 'plant', stream }, 'oldest');
    await append(300);
    await store.close();
    // No limit has anything to do any more while it is looked at.
    await open({ maxBytes: 64 * MIB });
    const [{ cursor, droppedCount }, pending] = [await lane(), await pendingSeqs()];
    await store.close();
    writeFileSync(`${logFile}.suspect`, '');
    return { pending, cursor, droppedCount };
  }

  /** Limits look at the log between any two steps. */
  async function salvage(options: Partial<StoreOptions> = {}): Promise<void> {
    const now = performance.now.bind(performance);
    vi.spyOn(performance, 'now').mockImplementation(() => 1_000 * now());
    await open(options);
    await store.client.salvaged();
    vi.restoreAllMocks();
  }

  async function asideIsRemoved(): Promise<void> {
    await waitFor(() => !existsSync(`${logFile}.damaged`), { what: 'room for records', timeoutMs: 10_000 });
  }

  function destroyRecords(count: number): void {
    const bytes = readFileSync(logFile);
    const pages = Array.from({ length: bytes.length / PAGE }, (_, page) => page * PAGE);
    const leaves = pages.filter((at) => bytes[at] === TABLE_LEAF && bytes.subarray(at, at + PAGE).includes(VALUE));
    const fd = openSync(logFile, 'r+');
    for (const at of leaves.slice(0, count)) writeSync(fd, Buffer.alloc(PAGE, 0xa5), 0, PAGE, at);
    closeSync(fd);
  }

  async function lane() {
    const { lanes } = await store.client.stats();
    const found = lanes.find(({ stream }) => stream === 'telemetry');
    if (found === undefined) throw new Error('no lane');
    return found;
  }

  async function pendingSeqs(): Promise<Seq[]> {
    return store.reader.read('telemetry', (await lane()).cursor, ALL).records.map(({ seq }) => seq);
  }

  function gaps(reason: string): Gap[] {
    const { records } = store.reader.read('gaps', 0, ALL);
    return records
      .map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap)
      .filter((gap) => gap.reason === reason);
  }

  async function expectRightCounts(): Promise<void> {
    await store.close();
    expect(countStore(directory.dataDir, { deep: true }).problems).toEqual([]);
    await open({});
  }

  it('takes back all of it although it blocks: nothing is delivered, and so no room made, before', async () => {
    await open({ whenFull: 'block' });
    await store.lanes.open(LANE, 'oldest');
    await append(66);
    await store.close();
    writeFileSync(`${logFile}.suspect`, '');
    await salvage({ whenFull: 'block' });
    expect(await lane()).toMatchObject({ pendingCount: 66 * BATCH, droppedCount: 0 });
  });

  it('loses what is damaged and nothing else: what is set aside goes before any record has to', async () => {
    const before = await fillAndClose();
    destroyRecords(10);
    // Room for all records, but not for what is set aside.
    await salvage({ maxBytes: 12 * MIB });
    await asideIsRemoved();
    const after = new Set(await pendingSeqs());
    const lost = before.pending.filter((seq) => !after.has(seq));
    expect(lost.length).toBeGreaterThan(20);
    expect((await lane()).droppedByReason).toEqual({ max_bytes: before.droppedCount, corruption: lost.length });
    expect(gaps('corruption')).toMatchObject([
      { count: lost.length, first_seq: before.cursor + 1, last_seq: before.pending.at(-1) },
    ]);
    await expectRightCounts();
  });

  it('that has become too small drops the oldest, once all is put back, and tells of each record once', async () => {
    const before = await fillAndClose();
    await salvage({ maxBytes: 2 * MIB });
    await asideIsRemoved();
    const half = before.pending.length / 2;
    await waitFor(async () => (await lane()).pendingCount < half, { what: 'the limit to act', timeoutMs: 10_000 });
    await store.close();
    await open({ maxBytes: 64 * MIB });
    const after = await pendingSeqs();
    expect(after).toEqual(before.pending.slice(-after.length));
    expect(after.length).toBeGreaterThan(0);
    expect((await lane()).droppedByReason).toEqual({ max_bytes: 300 * BATCH - after.length });
    const told = gaps('max_bytes').filter(({ stream }) => stream === 'telemetry');
    expect(told.reduce((sum, { count }) => sum + count, 0)).toBe(300 * BATCH - after.length);
    for (const [index, gap] of told.slice(1).entries())
      expect(gap.first_seq).toBeGreaterThan(told[index]?.last_seq ?? 0);
    await expectRightCounts();
  });
});
