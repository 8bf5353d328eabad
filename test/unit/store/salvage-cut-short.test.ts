import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

/** More than one step of a salvage puts back. */
const COUNT = 4_000;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;

describe('a log that is put back, when the gateway ends in the middle of it,', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir });
    await store.lanes.open(LANE, 'oldest');
    const value = Buffer.from(`{"padding":"${'x'.repeat(900)}"}`);
    await store.client.append(entryOf(...Array.from({ length: COUNT }, () => newRecord({ value }))));
    await store.close();
    writeFileSync(join(directory.dataDir, 'log.db.suspect'), '');
    store = await openStore({ dataDir: directory.dataDir });
    expect((await store.client.stats()).salvaged).toBeGreaterThan(0);
    await reopen();
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function reopen(): Promise<void> {
    await store.close();
    store = await openStore({ dataDir: directory.dataDir });
  }

  it('is put back by the next start to its end', async () => {
    expect(store.opened.repairs).toEqual([]);
    expect(await store.client.salvaged()).toMatchObject({ lostCount: 0 });
    const { lanes } = await store.client.stats();
    expect(lanes[0]).toMatchObject({ acceptedCount: COUNT, pendingCount: COUNT, droppedCount: 0 });
    await reopen();
    expect(countStore(directory.dataDir, { deep: true }).problems).toEqual([]);
  });
});
