import { Buffer } from 'node:buffer';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RecordQuery } from '../../../src/core/browser.ts';
import { type LookLimits, SqliteLogBrowser } from '../../../src/store/log/browser.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const NO_LIMITS: LookLimits = { maxRecords: 1e9, maxBytes: 1e12, maxMs: 1e9, maxPageBytes: 1e12 };
const ALL: RecordQuery = {
  stream: null,
  device: null,
  after: 0,
  before: Number.MAX_SAFE_INTEGER,
  order: 'oldest',
  limit: 1_000,
};

describe('looking into the log', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;
  let browser: SqliteLogBrowser;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir });
  });

  afterEach(async () => {
    browser.close();
    await store.close();
    directory.remove();
  });

  function limited(limits: Partial<LookLimits> = {}): SqliteLogBrowser {
    browser = new SqliteLogBrowser(store.opened.logFile, { ...NO_LIMITS, ...limits });
    return browser;
  }

  it('merges the streams without sorting them, whatever their sizes', () => {
    limited();
    const db = new Database(store.opened.logFile, { readonly: true });
    const parts = ['telemetry', 'events'].map((name) => `SELECT seq, '${name}', body FROM ${name} WHERE seq > 1`);
    const plan = db.prepare(`EXPLAIN QUERY PLAN ${parts.join(' UNION ALL ')} ORDER BY seq DESC`).all();
    db.close();
    expect(JSON.stringify(plan)).toContain('MERGE (UNION ALL)');
    expect(JSON.stringify(plan)).not.toContain('TEMP B-TREE');
  });

  it('looks at a bounded number of records for a device that is rare, and says where to go on', async () => {
    const common = Array.from({ length: 100 }, () => newRecord({ device: 'common' }));
    await store.client.append(entryOf(...common, newRecord({ device: 'rare' })));
    limited({ maxRecords: 30 });
    const pages: number[] = [];
    let after = 0;
    for (;;) {
      const { records, next } = browser.records({ ...ALL, device: 'rare', after });
      pages.push(records.length);
      if (next === null) break;
      after = next;
    }
    expect(pages).toEqual([0, 0, 0, 1]);
  });

  it('stops when it has looked at too many bytes or for too long, but never before the first record', async () => {
    await store.client.append(entryOf(...Array.from({ length: 300 }, () => newRecord({ device: 'common' }))));
    expect(limited({ maxBytes: 1 }).records({ ...ALL, device: 'rare' }).next).toBe(1);
    browser.close();
    expect(limited({ maxMs: -1 }).records({ ...ALL, device: 'rare' }).next).toBe(63);
  });

  it('returns no more bytes than a page may have, but at least one record', async () => {
    const large = newRecord({ value: Buffer.alloc(1_000, 'x') });
    await store.client.append(entryOf(large, large, large));
    limited({ maxPageBytes: 1_500 });
    expect(browser.records(ALL).records).toHaveLength(2);
    browser.close();
    expect(limited({ maxPageBytes: 1 }).records(ALL).records).toHaveLength(1);
  });

  it('names damaged records and shows the others', async () => {
    await store.client.append(entryOf(newRecord(), newRecord(), newRecord()));
    await store.client.stats();
    const db = new Database(store.opened.logFile);
    db.exec(`UPDATE telemetry SET body = zeroblob(40) WHERE seq = 2`);
    db.close();
    const { records, damaged } = limited().records(ALL);
    expect([records.map(({ seq }) => seq), damaged]).toEqual([[1, 3], [2]]);
    expect(() => browser.record(2)).toThrow(expect.objectContaining({ code: 'record_damaged' }));
  });

  it('leaves no statement open that would keep the write-ahead log from shrinking', async () => {
    await store.client.append(entryOf(newRecord(), newRecord()));
    limited();
    browser.records({ ...ALL, limit: 1 });
    browser.refused({ before: 10, limit: 1 });
    const db = new Database(store.opened.logFile);
    const [result] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[];
    db.close();
    expect(result?.busy).toBe(0);
  });
});

describe('what is kept for people', () => {
  it('is removed once, and its id never names anything else, also after a restart', async () => {
    const { dataDir, remove } = storeDirectory();
    const message = {
      source: 'http',
      reason: 'nan',
      channel: 'c',
      receivedAt: 1,
      payload: Buffer.alloc(5_000, 'x'),
    } as const;
    const refuse = (store: OpenStore) => store.client.append({ kind: 'refused', message });
    const ids = (store: OpenStore) => {
      const browser = new SqliteLogBrowser(store.opened.logFile);
      const { items } = browser.refused({ before: 1e9, limit: 10 });
      browser.close();
      return items.map(({ id, size, payload }) => [id, size, payload.byteLength]);
    };
    let store = await openStore({ dataDir });
    await refuse(store);
    await refuse(store);
    expect(await store.client.removeRefused(2)).toBe(true);
    expect(await store.client.removeRefused(2)).toBe(false);
    expect(await store.client.removeReject(2)).toBe(false);
    expect((await store.client.stats()).refusedCount).toBe(1);
    await store.close();
    store = await openStore({ dataDir });
    await refuse(store);
    expect(ids(store)).toEqual([
      [3, 5_000, 4_096],
      [1, 5_000, 4_096],
    ]);
    await store.close();
    remove();
  });
});
