import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { SqliteLogBrowser } from '../../../src/store/log/browser.ts';
import { SqliteLogReader } from '../../../src/store/log/reader.ts';
import type { StoreClock } from '../../../src/store/store-clock.ts';
import { openLog } from '../../support/open-log.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

const COUNT = 1_000;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const ALL = { maxRecords: COUNT, maxBytes: 2 ** 24 };
const CLOCK: StoreClock = {
  now: Date.now,
  elapsed: () => performance.now(),
  quality: () => 'synced',
  bootTime: () => undefined,
};

function textOf(seq: number): Buffer {
  return Buffer.from(`{"n":${seq + 10_000}}${' '.repeat(100)}`);
}

const BODY_BYTES = encodeRecord(newRecord({ value: textOf(1) }), 1).byteLength;
const VALUE_BYTES = textOf(1).byteLength;
/** SQLite's name for text of so many bytes; its second byte [sqlite.org/fileformat2.html#record_format]. */
const TEXT = (2 * BODY_BYTES + 13) & 127;

/** In front of a row's body stands its head: the bytes of the row, its seq, the length of the list of types, none, the body's type. */
describe('a log in which the head of one row is damaged', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let logFile: string;
  let store: OpenStore | undefined;

  beforeEach(async () => {
    directory = storeDirectory();
    logFile = join(directory.dataDir, 'log.db');
    const filled = await openStore({ dataDir: directory.dataDir });
    await filled.lanes.open(LANE, 'oldest');
    const records = Array.from({ length: COUNT }, (_, index) => newRecord({ value: textOf(index + 1) }));
    await filled.client.append(entryOf(...records));
    await filled.close();
  });

  afterEach(async () => {
    await store?.close();
    store = undefined;
    directory.remove();
  });

  /** Writes bytes so far in front of the body of a row. */
  function damage(seq: number, before: number, bytes: readonly number[]): void {
    const file = readFileSync(logFile);
    const body = file.indexOf(textOf(seq)) - (BODY_BYTES - VALUE_BYTES);
    file.set(bytes, body - before);
    writeFileSync(logFile, file);
  }

  describe.each([
    ['nothing', [0x00] as const, 2],
    ['a number', [0x04] as const, 2],
  ])('so that its body seems to be %s', (_, bytes, before) => {
    beforeEach(() => damage(500, before, bytes));

    it('is read but for that record, which is set aside', async () => {
      store = await openStore({ dataDir: directory.dataDir });
      const { lanes, client, reader } = store;
      const from = await lanes.open(LANE, 'oldest');
      const { records, damaged, upTo } = reader.read('telemetry', from, ALL);
      expect([records.length, damaged, upTo]).toEqual([COUNT - 1, [500], COUNT]);
      const rejected = [{ seq: 500, reason: 'record_damaged', detail: '' }];
      await lanes.settle({ lane: LANE, from, upTo, deliveredCount: records.length, rejected });
      expect((await client.stats()).rejectsCount).toBe(1);
      await store.close();
      store = undefined;
      expect(countStore(directory.dataDir).problems).toEqual([]);
    });

    it('can be looked into', () => {
      const browser = new SqliteLogBrowser(logFile);
      const query = {
        stream: null,
        device: null,
        before: Number.MAX_SAFE_INTEGER,
        limit: COUNT,
        order: 'oldest',
      } as const;
      const damaged: number[] = [];
      // On a busy machine one look does not get far.
      for (let after: number | null = 0; after !== null; ) {
        const page = browser.records({ ...query, after });
        damaged.push(...page.damaged);
        after = page.next;
      }
      expect(damaged).toEqual([500]);
      expect(() => browser.record(500)).toThrow('checksum');
      browser.close();
    });
  });

  it('so that its body seems to be text is read as if nothing were wrong', () => {
    damage(500, 1, [TEXT]);
    const reader = new SqliteLogReader(logFile);
    const { records, damaged } = reader.read('telemetry', 0, ALL);
    expect([records[499]?.value, damaged]).toEqual([textOf(500), []]);
    reader.close();
  });

  describe.each([
    ['a higher', 0xff],
    ['a lower', 0x80],
  ])('so that it seems to have %s seq', (_, byte) => {
    // Behind the seq, of two bytes: the list of types, of four.
    beforeEach(() => damage(500, 6, [byte]));

    it('is damaged for whoever reads on, wherever a page of records ends', () => {
      const onDamage = vi.fn();
      const reader = new SqliteLogReader(logFile, onDamage);
      const readOn = (maxRecords: number): void => {
        for (let after = 490; after < COUNT; ) after = reader.read('telemetry', after, { ...ALL, maxRecords }).upTo;
      };
      const isDamaged = expect.objectContaining({ code: 'store_damaged' });
      for (const maxRecords of [1, 10, COUNT]) expect(() => readOn(maxRecords)).toThrow(isDamaged);
      expect(onDamage).toHaveBeenCalledTimes(3);
      reader.close();
    });

    it('gives nothing to a limit that would take records from it', () => {
      const log = openLog(directory.dataDir, CLOCK, COUNT);
      for (const maxRecords of [499, 500, COUNT]) {
        const take = () => log.records.oldest('telemetry', { after: 0, upTo: 10 ** 6 }, { ...ALL, maxRecords }).at(-1);
        if (maxRecords === 499 && byte === 0xff) expect(take()).toMatchObject({ seq: 499 });
        else expect(take).toThrow('is damaged');
      }
      log.close();
    });

    it('is replaced by one without that record, and says so', async () => {
      writeFileSync(`${logFile}.suspect`, '');
      store = await openStore({ dataDir: directory.dataDir });
      await store.client.salvaged();
      expect(store.reader.read('telemetry', 0, ALL).records).toHaveLength(COUNT - 1);
      expect((await store.client.stats()).lanes).toMatchObject([{ droppedByReason: { corruption: 1 } }]);
    });
  });
});
