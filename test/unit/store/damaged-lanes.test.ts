import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SluiceError } from '../../../src/core/errors.ts';
import type { Gap } from '../../../src/core/gap.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import { StoreThread } from '../../../src/gateway/store-thread.ts';
import { examineStore } from '../../../src/store/damage/examine.ts';
import { LaneClient } from '../../../src/store/lane-client.ts';
import { type OpenStore, openStore, STORE_DEFAULTS, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { unwatched } from '../../support/unwatched.ts';
import { countStore } from '../../support/verify.ts';

const COUNT = 100;
const PLANT: LaneId = { uplink: 'plant', stream: 'telemetry' };
const STICK: LaneId = { uplink: 'stick', stream: 'telemetry' };
const ALL = { maxRecords: 2 * COUNT, maxBytes: 2 ** 24 };

describe('positions that are not what was written', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir });
    for (const { uplink } of [PLANT, STICK]) {
      for (const stream of ['telemetry', 'gaps'] as const) await store.lanes.open({ uplink, stream }, 'oldest');
    }
    await store.client.append(entryOf(...Array.from({ length: COUNT }, () => newRecord())));
    await settle(STICK, 0, 40);
    await store.close();
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function settle(lane: LaneId, from: number, upTo: number): Promise<void> {
    await store.lanes.settle({ lane, from, upTo, deliveredCount: upTo - from, rejected: [] });
  }

  /** The file is changed while nobody has it open. */
  function change(sql: string): void {
    const db = new Database(join(directory.dataDir, 'log.db'));
    db.exec(sql);
    db.close();
  }

  async function open(): Promise<void> {
    store = await openStore({ dataDir: directory.dataDir });
  }

  async function laneOf({ uplink, stream }: LaneId) {
    const { lanes } = await store.client.stats();
    return lanes.find((lane) => lane.uplink === uplink && lane.stream === stream);
  }

  function gapsOf(uplink: string): Partial<Gap>[] {
    const { records } = store.reader.read('gaps', 0, ALL);
    const gaps = records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap);
    return gaps
      .filter((gap) => gap.uplink === uplink)
      .map(({ first_seq, last_seq, count, reason }) => ({ first_seq, last_seq, count, reason }));
  }

  async function expectRightCounts(): Promise<void> {
    await store.close();
    expect(countStore(directory.dataDir, { deep: true }).problems).toEqual([]);
    await open();
  }

  it.each(['cursor = 90', 'delivered = 8', 'done = 64', `stream = 'telemetrx'`])(
    'are noticed at the start (%s): that lane begins at the beginning and is told so, the others go on',
    async (flipped) => {
      change(`UPDATE lanes SET ${flipped} WHERE uplink = 'plant' AND stream = 'telemetry'`);
      await open();
      expect(store.opened.repairs).toEqual([expect.stringContaining('the checksums of positions do not hold: plant/')]);
      // Before any lane asks: also what only the lost one still wants is put back.
      await store.client.salvaged();
      expect(await store.lanes.open(PLANT, 'now')).toBe(0);
      expect(await store.lanes.open(STICK, 'oldest')).toBe(40);
      expect(store.reader.read('telemetry', 0, ALL).records).toHaveLength(COUNT);
      expect(await laneOf(PLANT)).toMatchObject({ pendingCount: COUNT, droppedCount: 0 });
      expect(await laneOf(STICK)).toMatchObject({ deliveredCount: 40, pendingCount: COUNT - 40, droppedCount: 0 });
      expect(gapsOf('plant')).toEqual([{ first_seq: 1, last_seq: 11_000_000, count: 0, reason: 'corruption' }]);
      expect(gapsOf('stick')).toEqual([]);
      await expectRightCounts();
    },
  );

  it('are found by the doctor, and put right by the next start', async () => {
    change(`UPDATE lanes SET cursor = 90 WHERE uplink = 'plant' AND stream = 'telemetry'`);
    expect(examineStore(directory.dataDir).findings).toContainEqual(
      expect.objectContaining({
        kind: 'repair',
        text: 'it is damaged: the checksums of positions do not hold: plant/telemetry',
      }),
    );
    await open();
    expect(examineStore(directory.dataDir).findings.filter(({ kind }) => kind === 'repair')).toEqual([]);
  });

  it('because the counts of their stream are wrong are told when the lane comes to its end', async () => {
    change(`UPDATE streams SET accepted = accepted + 8, removed = removed + 8 WHERE stream = 'telemetry'`);
    await open();
    await settle(STICK, 40, COUNT);
    expect(gapsOf('stick')).toEqual([{ first_seq: 1, last_seq: COUNT, count: 8, reason: 'corruption' }]);
    expect(await laneOf(STICK)).toMatchObject({ deliveredCount: COUNT, droppedCount: 8, pendingCount: 0 });
    await settle(PLANT, 0, COUNT);
    await expectRightCounts();
  });
});

describe('a record whose seq reads too high', () => {
  it('is no position: the worker ends, the log is replaced, and nothing is skipped', async () => {
    const directory = storeDirectory();
    const { dataDir } = directory;
    const { promise: death, resolve } = Promise.withResolvers<SluiceError>();
    const { store, lanes: port } = StoreThread.spawn({
      watch: unwatched(),
      onCommit: () => undefined,
      onDeath: resolve,
    });
    await store.open({ ...STORE_DEFAULTS, dataDir });
    const lanes = new LaneClient(port);
    await lanes.open(PLANT, 'oldest');
    await store.client.append(entryOf(...Array.from({ length: COUNT }, () => newRecord())));
    await expect(lanes.claim(PLANT, COUNT + 2 ** 15)).rejects.toMatchObject({ code: 'store_damaged' });
    expect((await death).message).toContain(`telemetry ends at ${COUNT}`);
    await store.close();
    const next = await openStore({ dataDir });
    expect(next.opened.repairs).toHaveLength(1);
    await next.client.salvaged();
    expect((await next.client.stats()).lanes[0]).toMatchObject({ cursor: 0, pendingCount: COUNT, droppedCount: 0 });
    await next.close();
    directory.remove();
  });
});
