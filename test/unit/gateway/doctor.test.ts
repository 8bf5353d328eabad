import { closeSync, openSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examine, repair } from '../../../src/gateway/doctor.ts';
import { readMachineId } from '../../../src/platform/machine-id.ts';
import { suspectMark } from '../../../src/store/damage/suspect.ts';
import { configOf } from '../../support/config-text.ts';
import { openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

describe('a repair while no gateway runs', () => {
  let directory: ReturnType<typeof storeDirectory>;

  beforeEach(async () => {
    directory = storeDirectory();
    await (await openStore({ dataDir: directory.dataDir })).close();
  });
  afterEach(() => directory.remove());

  it('is refused to a user whom the directory does not belong to, so that the gateway can still write its files', async () => {
    const { dataDir } = directory;
    overwritePage(join(dataDir, 'log.db'), 0);
    const { config } = configOf(JSON.stringify({ gateway: { dataDir } }));
    const examination = examine(config);
    const before = readdirSync(dataDir);
    const repairing = repair(config, examination, (process.getuid?.() ?? 0) + 1);
    await expect(repairing).rejects.toMatchObject({
      code: 'foreign_data_dir',
      hint: expect.stringContaining('sudo -u'),
    });
    expect(readdirSync(dataDir)).toEqual(before);
  });

  describe('of a log that has records, and was closed in good order', () => {
    const COUNT = 2_000;
    let logFile: string;

    beforeEach(async () => {
      logFile = join(directory.dataDir, 'log.db');
      const store = await openStore({ dataDir: directory.dataDir, machineId: readMachineId() });
      await store.lanes.open({ uplink: 'sink', stream: 'telemetry' }, 'oldest');
      await store.client.append(entryOf(...Array.from({ length: COUNT }, () => newRecord())));
      const { firstSeq } = await store.client.append(entryOf(newRecord()));
      // As devices do, whose state is derived from the log.
      await store.client.saveSeen([], firstSeq);
      await store.close();
    });

    const configuration = () => configOf(JSON.stringify({ gateway: { dataDir: directory.dataDir } })).config;
    const repairNow = () => repair(configuration(), examine(configuration()));
    const found = () => examine(configuration()).findings.filter(({ kind }) => kind === 'repair');

    it.each([
      ['is cut off', () => truncateSync(logFile, 16 * 4096)],
      ['is gone', () => rmSync(logFile)],
      ['holds nothing', () => truncateSync(logFile, 0)],
    ])('that %s says that nobody knows how much is lost, once', async (_, damage) => {
      damage();
      expect(found()).not.toEqual([]);
      expect((await repairNow()).at(-1)).toContain('how many more nobody knows');
      expect(found()).toEqual([]);
      const asideBytes = statSync(`${logFile}.damaged`).size;
      expect(await repairNow()).toEqual([]);
      expect(statSync(`${logFile}.damaged`).size).toBe(asideBytes);
    });

    it('of which the disk once did not give all, is believed when it finds damage', async () => {
      writeFileSync(suspectMark(logFile), 'unread');
      expect(found()).toMatchObject([{ text: 'the disk did not give all of it while it was in use' }]);
      overwritePage(logFile, statSync(logFile).size - 30 * 4096);
      expect((await repairNow()).at(-1)).toMatch(
        /records are put back, [1-9][0-9]* that had not been delivered are lost$/,
      );
      expect(found()).toEqual([]);
    });
  });
});

function overwritePage(file: string, at: number): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, at);
  closeSync(fd);
}
