import { FakeLogWriter } from '../support/fake-log-writer.ts';
import { openStore, storeDirectory } from '../support/open-store.ts';
import { logWriterContract } from './log-writer.suite.ts';

const ALL = { maxRecords: 100_000, maxBytes: 2 ** 30 };

logWriterContract('the store', async () => {
  const { dataDir, remove } = storeDirectory();
  let store = await openStore({ dataDir });
  return {
    get log() {
      return store.client;
    },
    records: async (stream) => store.reader.read(stream, 0, ALL).records,
    refusedCount: async () => (await store.client.stats()).refusedCount,
    overShareCount: async () => (await store.client.stats()).streams[0]?.overShareCount ?? 0,
    reopen: async () => {
      await store.close();
      store = await openStore({ dataDir });
    },
    close: async () => {
      await store.close();
      remove();
    },
  };
});

logWriterContract('the fake', async () => {
  let log = new FakeLogWriter();
  return {
    get log() {
      return log;
    },
    records: async (stream) => log.records.filter((record) => record.stream === stream),
    refusedCount: async () => log.refused.length,
    overShareCount: async () => log.untaken.reduce((sum, { count }) => sum + count, 0),
    reopen: async () => {
      log = log.reopened();
    },
    close: async () => undefined,
  };
});
