import { Buffer } from 'node:buffer';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const MIB = 1024 * 1024;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const BATCHES = 66;
const BATCH = 100;

describe('a buffer that is nearly full and blocks', () => {
  let directory: ReturnType<typeof storeDirectory>;

  beforeEach(() => {
    directory = storeDirectory();
  });

  afterEach(() => directory.remove());

  it('takes back all of a log that was set aside: nothing is delivered, and so no room made, before', async () => {
    const options = { dataDir: directory.dataDir, maxBytes: 8 * MIB, whenFull: 'block' } as const;
    const before = await openStore(options);
    await before.lanes.open(LANE, 'oldest');
    const value = Buffer.from(`{"padding":"${'x'.repeat(900)}"}`);
    for (let batch = 0; batch < BATCHES; batch += 1) {
      await before.client.append(entryOf(...Array.from({ length: BATCH }, () => newRecord({ value }))));
    }
    await before.close();
    writeFileSync(join(directory.dataDir, 'log.db.suspect'), '');
    const store = await openStore(options);
    await store.client.salvaged();
    const { lanes } = await store.client.stats();
    expect(lanes.find(({ stream }) => stream === 'telemetry')).toMatchObject({
      pendingCount: BATCHES * BATCH,
      droppedCount: 0,
    });
    await store.close();
  });
});
