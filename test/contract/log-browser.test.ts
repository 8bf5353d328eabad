import { Buffer } from 'node:buffer';
import { ReaderThread } from '../../src/gateway/reader-thread.ts';
import { FakeBrowser } from '../support/fake-browser.ts';
import { openStore, storeDirectory } from '../support/open-store.ts';
import { entryOf } from '../support/records.ts';
import { unwatched } from '../support/unwatched.ts';
import { logBrowserContract } from './log-browser.suite.ts';

const LANE = { uplink: 'plant', stream: 'telemetry' } as const;

logBrowserContract('the reader worker', async () => {
  const { dataDir, remove } = storeDirectory();
  const { client, lanes, opened, close } = await openStore({ dataDir });
  const browser = new ReaderThread({
    logFile: opened.logFile,
    watch: unwatched(),
    onDeath: (error) => {
      throw error;
    },
  });
  return {
    browser,
    store: async (...records) => {
      const { firstSeq } = await client.append(entryOf(...records));
      return records.map((_, index) => firstSeq + index);
    },
    refuse: async (...channels) => {
      for (const channel of channels) {
        const about = { source: 'mqtt', reason: 'invalid_json', receivedAt: 1_000 } as const;
        await client.append({ kind: 'refused', message: { ...about, channel, payload: Buffer.from('{') } });
      }
    },
    reject: async (...records) => {
      const from = await lanes.open(LANE, 'now');
      const { firstSeq } = await client.append(entryOf(...records));
      const rejected = records.map((_, index) => ({
        seq: firstSeq + index,
        reason: 'message_too_large',
        detail: 'why',
      }));
      await lanes.settle({ lane: LANE, from, upTo: firstSeq + records.length - 1, deliveredCount: 0, rejected });
    },
    noteSync: (boot) => client.noteSync(boot),
    close: async () => {
      await browser.stop();
      await close();
      remove();
    },
  };
});

logBrowserContract('the fake', async () => {
  const browser = new FakeBrowser();
  let seq = 0;
  return {
    browser,
    store: async (...records) => {
      const stored = records.map((record) => ({ ...record, seq: ++seq }));
      browser.recordsHeld.push(...stored);
      return stored.map((record) => record.seq);
    },
    refuse: async (...channels) => {
      for (const [index, channel] of channels.entries()) {
        const about = { source: 'mqtt', reason: 'invalid_json', at: 1_000, size: 1 } as const;
        browser.refusedHeld.push({ ...about, id: index + 1, channel, payload: Buffer.from('{') });
      }
    },
    reject: async (...records) => {
      for (const [index, record] of records.entries()) {
        const about = { uplink: 'plant', reason: 'message_too_large', detail: 'why', at: 1 };
        const stored = { ...record, seq: index + 1 };
        browser.rejectsHeld.push({ ...about, id: index + 1, seq: index + 1, stream: record.stream, record: stored });
      }
    },
    noteSync: async (boot) => browser.noteSync(boot),
    close: async () => undefined,
  };
});
