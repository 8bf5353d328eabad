import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

/** Longer than any test here takes for its appends. */
const INTERVAL_MS = 3_000;
const ENTRY = entryOf(newRecord());

describe('a commit interval', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir, commitIntervalMs: INTERVAL_MS });
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  it('commits a lone entry at once, and together all that comes in the interval behind it', async () => {
    await store.client.append(ENTRY);
    expect(store.commits).toHaveLength(1);
    const later: Promise<unknown>[] = [];
    // More often than there are packs on their way without an interval.
    for (let turn = 0; turn < 5; turn += 1) {
      later.push(store.client.append(ENTRY));
      await delay(INTERVAL_MS / 12);
    }
    await Promise.all(later);
    expect(store.commits).toHaveLength(2);
  });

  it('is waited for no longer by what waits and by what comes once there is a hurry', async () => {
    await store.client.append(ENTRY);
    const waiting = [store.client.append(ENTRY), store.lanes.open({ uplink: 'plant', stream: 'events' }, 'oldest')];
    await store.client.hurry();
    await Promise.all(waiting);
    // Twenty intervals would take longer than a test may.
    for (let count = 0; count < 20; count += 1) await store.client.append(ENTRY);
  });
});
