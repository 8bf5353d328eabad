import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SluiceError } from '../../../src/core/errors.ts';
import type { SessionChange } from '../../../src/core/session.ts';
import { StoreThread } from '../../../src/gateway/store-thread.ts';
import { STORE_DEFAULTS, storeDirectory } from '../../support/open-store.ts';
import { unwatched } from '../../support/unwatched.ts';

const BEGIN: SessionChange = { kind: 'begin', session: 1, clientId: 'phone', owner: '' };

describe('a write of sessions that fails', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: StoreThread;
  let death: Promise<SluiceError>;

  beforeEach(async () => {
    directory = storeDirectory();
    const { promise, resolve } = Promise.withResolvers<SluiceError>();
    death = promise;
    const spawned = StoreThread.spawn({ watch: unwatched(), onCommit: () => undefined, onDeath: resolve });
    store = spawned.store;
    await store.open({ ...STORE_DEFAULTS, dataDir: directory.dataDir });
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  it('because another program holds the file is tried again until it does not', async () => {
    const { client } = store;
    const other = new Database(join(directory.dataDir, 'state.db'));
    other.exec('BEGIN IMMEDIATE');
    let isSaved = false;
    const saving = client.saveSessions([BEGIN]).then(() => {
      isSaved = true;
    });
    // Answered after the first attempt, which takes as long as SQLite waits by itself.
    await client.stats();
    expect(isSaved).toBe(false);
    other.exec('ROLLBACK');
    other.close();
    await saving;
    expect(await client.loadSessions(0, 1_000)).toMatchObject([{ clientId: 'phone' }]);
  });

  it('for any other reason ends the worker, and is not answered before', async () => {
    const { client } = store;
    await client.saveSessions([BEGIN]);
    const refused = expect(client.saveSessions([BEGIN])).rejects.toMatchObject({ code: 'worker_died' });
    expect((await death).message).toContain('UNIQUE');
    await refused;
  });
});
