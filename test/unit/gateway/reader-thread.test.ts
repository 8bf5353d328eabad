import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SluiceError } from '../../../src/core/errors.ts';
import { ReaderThread } from '../../../src/gateway/reader-thread.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { unwatched } from '../../support/unwatched.ts';

describe('the reader thread', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;
  let deaths: SluiceError[];

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir });
    deaths = [];
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  function readerOf(logFile: string): ReaderThread {
    return new ReaderThread({ logFile, watch: unwatched(), onDeath: (error) => deaths.push(error) });
  }

  it('takes a bounded number of requests at once, and more when those are answered', async () => {
    const { firstSeq } = await store.client.append(entryOf(newRecord()));
    const reader = readerOf(store.opened.logFile);
    const ask = () => reader.record(firstSeq);
    const asked = Array.from({ length: 16 }, ask);
    await expect(ask()).rejects.toMatchObject({ code: 'too_busy', retryable: true });
    expect(await Promise.all(asked)).toHaveLength(16);
    expect(await ask()).toMatchObject({ seq: firstSeq });
    await reader.stop();
    expect(deaths).toEqual([]);
  });

  it('says that it died, and answers nothing more', async () => {
    const reader = readerOf(`${directory.dataDir}/nowhere.db`);
    await expect(reader.record(1)).rejects.toMatchObject({ code: 'worker_died' });
    await expect(reader.record(1)).rejects.toMatchObject({ code: 'worker_died' });
    expect(deaths).toMatchObject([{ message: expect.stringContaining('reader-worker ended') }]);
    await reader.stop();
  });

  it('has nothing to stop when it was never asked', async () => {
    await readerOf(`${directory.dataDir}/nowhere.db`).stop();
    expect(deaths).toEqual([]);
  });
});
