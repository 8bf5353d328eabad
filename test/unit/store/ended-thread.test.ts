import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionChange } from '../../../src/core/session.ts';
import { StoreThread } from '../../../src/gateway/store-thread.ts';
import { STORE_DEFAULTS, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { unwatched } from '../../support/unwatched.ts';

const BEGIN: SessionChange = { kind: 'begin', session: 1, clientId: 'phone', owner: '' };

describe('a thread of the store that ends by itself, and whose write-ahead log is carried over by that', () => {
  let directory: ReturnType<typeof storeDirectory>;

  beforeEach(() => {
    directory = storeDirectory();
  });

  afterEach(() => directory.remove());

  function spawn() {
    const death = Promise.withResolvers<void>();
    const { store } = StoreThread.spawn({
      watch: unwatched(),
      onCommit: () => undefined,
      onDeath: () => death.resolve(),
    });
    return { store, death: death.promise };
  }

  /** Returns what the next start has to say of it. */
  async function endAfter(last: (client: StoreThread['client']) => Promise<void>): Promise<readonly string[]> {
    const { store, death } = spawn();
    // Not by `store`: nothing else holds the log.
    await store.client.open({ ...STORE_DEFAULTS, dataDir: directory.dataDir });
    await store.client.append(entryOf(newRecord()));
    await store.client.saveSessions([BEGIN]);
    await last(store.client);
    // No session begins twice.
    store.client.saveSessions([BEGIN]).catch(() => undefined);
    await death;
    await store.close();
    return await startAgain();
  }

  async function startAgain(): Promise<readonly string[]> {
    carryOver(join(directory.dataDir, 'log.db'));
    const next = spawn().store;
    const { repairs } = await next.open({ ...STORE_DEFAULTS, dataDir: directory.dataDir });
    const { streams } = await next.client.stats();
    expect(streams).toContainEqual(expect.objectContaining({ stream: 'telemetry', storedCount: 1 }));
    await next.close();
    return repairs;
  }

  it('when its stop has begun has lost nothing for the next start', async () => {
    expect(await endAfter((client) => client.beginClosing())).toEqual([]);
  });

  it('while it is stopped has lost nothing for the next start, because the stop says so before it lets go', async () => {
    const { store, death } = spawn();
    await store.open({ ...STORE_DEFAULTS, dataDir: directory.dataDir });
    await store.client.append(entryOf(newRecord()));
    await store.client.saveSessions([BEGIN]);
    // In the place of closing: it ends by itself just then, and nothing holds the log any more.
    store.client.close = async () => {
      await store.client.saveSessions([BEGIN]);
    };
    await store.close();
    await death;
    expect(await startAgain()).toEqual([]);
  });

  it('before that may have lost something', async () => {
    expect(await endAfter(async () => undefined)).toEqual([expect.stringContaining('the write-ahead log')]);
  });
});

/** As the end of the thread does, when the connection that it closes last is one that may write. */
function carryOver(file: string): void {
  const db = new Database(file);
  db.pragma('user_version');
  db.close();
}
