import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WalPin } from '../../../src/store/wal-pin.ts';
import { storeDirectory } from '../../support/open-store.ts';

/** Writes something, says so, and leaves its connection to whoever ends it. */
const WRITER = `
  const { parentPort, workerData } = require('node:worker_threads');
  const db = new (require('better-sqlite3'))(workerData);
  db.pragma('journal_mode = WAL');
  db.exec('CREATE TABLE IF NOT EXISTS t (n); INSERT INTO t VALUES (1)');
  parentPort.postMessage('written');
  setInterval(() => db.open, 1000);
`;

describe('the write-ahead log of a thread that is ended with the process', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let file: string;

  beforeEach(() => {
    directory = storeDirectory();
    file = join(directory.dataDir, 'log.db');
  });

  afterEach(() => directory.remove());

  async function endWriter(whileItRuns: () => void): Promise<void> {
    const writer = new Worker(WRITER, { eval: true, workerData: file });
    await new Promise((written) => writer.once('message', written));
    whileItRuns();
    await writer.terminate();
  }

  it('stays when the main thread holds it', async () => {
    let pin: WalPin | undefined;
    await endWriter(() => {
      pin = WalPin.hold(file);
    });
    expect(existsSync(`${file}-wal`)).toBe(true);
    pin?.release();
  });

  it('is carried over and removed when nobody does', async () => {
    await endWriter(() => undefined);
    expect(existsSync(`${file}-wal`)).toBe(false);
  });
});
