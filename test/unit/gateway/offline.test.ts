import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStateOffline } from '../../../src/gateway/offline.ts';

describe('the files, opened while no gateway runs', () => {
  let dataDir: string;

  beforeEach(() => {
    dataDir = mkdtempSync(join(tmpdir(), 'sluice-offline-'));
  });
  afterEach(() => rmSync(dataDir, { recursive: true }));

  it('are left alone by a user whom the directory does not belong to, so that the gateway can still write them', async () => {
    const stranger = (process.getuid?.() ?? 0) + 1;
    const opening = openStateOffline({ dataDir, maxDevices: 10, uid: stranger });
    await expect(opening).rejects.toMatchObject({ code: 'foreign_data_dir', hint: expect.stringContaining('sudo -u') });
    expect(readdirSync(dataDir)).toEqual([]);
  });

  it('take a device from the user whom the directory belongs to', async () => {
    const offline = await openStateOffline({ dataDir, maxDevices: 10 });
    await offline.add('pump-1');
    expect(await offline.list()).toMatchObject([{ id: 'pump-1', provisioned: true }]);
    await offline.close();
  });
});
