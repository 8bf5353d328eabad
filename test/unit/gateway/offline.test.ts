import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStateOffline } from '../../../src/gateway/offline.ts';
import type { SessionTables } from '../../../src/store/state/sessions.ts';
import { State } from '../../../src/store/state/state.ts';

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

  it('keep nothing of the MQTT sessions of a device that is removed', async () => {
    const sessions = (work: (tables: SessionTables) => void) => {
      const state = new State(join(dataDir, 'state.db'));
      work(state.sessions);
      state.close();
    };
    const offline = await openStateOffline({ dataDir, maxDevices: 10 });
    await offline.add('pump');
    sessions((tables) =>
      tables.save([
        { kind: 'begin', session: 1, clientId: 'a', owner: 'pump' },
        { kind: 'begin', session: 2, clientId: 'b', owner: 'other' },
        { kind: 'subscribe', session: 1, subscriptions: [{ topic: 'x', qos: 1 }] },
      ]),
    );
    expect(await offline.remove('pump')).toBe(true);
    await offline.close();
    sessions((tables) => {
      expect(tables.ids()).toEqual([2]);
      tables.save([{ kind: 'begin', session: 1, clientId: 'a', owner: 'pump' }]);
      expect(tables.page(0, 1)).toMatchObject([{ id: 1, subscriptions: [] }]);
    });
  });

  it('take a device from the user whom the directory belongs to', async () => {
    const offline = await openStateOffline({ dataDir, maxDevices: 10 });
    await offline.add('pump-1');
    expect(await offline.list()).toMatchObject([{ id: 'pump-1', provisioned: true }]);
    await offline.close();
  });
});
