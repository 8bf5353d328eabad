import { closeSync, openSync, readdirSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { examine, repair } from '../../../src/gateway/doctor.ts';
import { configOf } from '../../support/config-text.ts';
import { openStore, storeDirectory } from '../../support/open-store.ts';

describe('a repair while no gateway runs', () => {
  let directory: ReturnType<typeof storeDirectory>;

  beforeEach(async () => {
    directory = storeDirectory();
    await (await openStore({ dataDir: directory.dataDir })).close();
  });
  afterEach(() => directory.remove());

  it('is refused to a user whom the directory does not belong to, so that the gateway can still write its files', async () => {
    const { dataDir } = directory;
    const fd = openSync(join(dataDir, 'log.db'), 'r+');
    writeSync(fd, Buffer.alloc(4096, 0xa5), 0, 4096, 0);
    closeSync(fd);
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
});
