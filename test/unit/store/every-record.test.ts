import { Buffer } from 'node:buffer';
import { closeSync, copyFileSync, openSync, readFileSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readEveryRecord } from '../../../src/store/damage/every-record.ts';
import { setAside } from '../../../src/store/damage/set-aside.ts';
import { State } from '../../../src/store/state/state.ts';
import { openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const PAGE = 4096;
const TABLE_LEAF = 0x0d;
/** More than is read at once, and more than one step of a salvage puts back. */
const COUNT = 12_000;
const VALUE = Buffer.from(`{"padding":"${'x'.repeat(300)}"}`);

describe('every record that can be read of a store', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let dataDir: string;
  let logFile: string;

  beforeEach(async () => {
    directory = storeDirectory();
    ({ dataDir } = directory);
    logFile = join(dataDir, 'log.db');
    const store = await openStore({ dataDir });
    await store.lanes.open({ uplink: 'plant', stream: 'telemetry' }, 'oldest');
    for (let count = 0; count < COUNT; count += 1_000) {
      await store.client.append(entryOf(...Array.from({ length: 1_000 }, () => newRecord({ value: VALUE }))));
    }
    await store.close();
  });
  afterEach(() => directory.remove());

  function expectOnce(count: number): void {
    const seqs = [...readEveryRecord(dataDir, 'telemetry')].map(({ seq }) => seq);
    expect([seqs.length, new Set(seqs).size]).toEqual([count, count]);
  }

  function overwrite(page: number, bytes: Uint8Array): void {
    const fd = openSync(logFile, 'r+');
    writeSync(fd, bytes, 0, PAGE, page * PAGE);
    closeSync(fd);
  }

  /** Of the one at nine tenths of the file: where it begins, in pages, and how many records are on it. */
  function latePage(): { page: number; count: number } {
    const bytes = readFileSync(logFile);
    let page = Math.floor((0.9 * bytes.length) / PAGE);
    while (bytes[page * PAGE] !== TABLE_LEAF) page += 1;
    return { page, count: bytes.readUInt16BE(page * PAGE + 3) };
  }

  it('is there once, without those of a damaged page', () => {
    const { page, count } = latePage();
    overwrite(page, Buffer.alloc(PAGE, 0xa5));
    expectOnce(COUNT - count);
  });

  it('is there once when a page stands in the place of another one', () => {
    const { page, count } = latePage();
    const bytes = readFileSync(logFile);
    overwrite(page, bytes.subarray((page - 10) * PAGE, (page - 9) * PAGE));
    expectOnce(COUNT - count);
  });

  it('is there when the schema cannot be read', () => {
    overwrite(0, Buffer.alloc(PAGE, 0xa5));
    expectOnce(COUNT);
  });

  it('is none of a file without a byte', () => {
    truncateSync(logFile);
    expectOnce(0);
  });

  it('is there when not all of a damaged log is put back, also from that', async () => {
    writeFileSync(`${logFile}.suspect`, '');
    const store = await openStore({ dataDir });
    expect((await store.client.stats()).salvaged).toBeGreaterThan(0);
    await store.close();
    expectOnce(COUNT);
  });

  it('is there when a damaged log is set aside, and no new one is made yet', () => {
    const state = new State(join(dataDir, 'state.db'));
    state.note('log_salvage_roots', state.noted('log_roots'));
    state.note('log_salvage', 'begun');
    state.close();
    setAside(logFile);
    expectOnce(COUNT);
  });

  it('is there when state.db cannot say where, and its copy can', () => {
    copyFileSync(join(dataDir, 'state.db'), join(dataDir, 'state.db.good'));
    writeFileSync(join(dataDir, 'state.db'), 'no database at all'.repeat(500));
    overwrite(0, Buffer.alloc(PAGE, 0xa5));
    expectOnce(COUNT);
  });
});
