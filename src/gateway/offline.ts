import { statSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { SluiceError } from '../core/errors.ts';
import { DeviceMap } from '../devices/device-map.ts';
import { LatestBudget } from '../devices/latest-values.ts';
import { Provisioning } from '../devices/provisioning.ts';
import { createLogger } from '../platform/logger.ts';
import { DataDirLock } from '../store/lock.ts';
import { State } from '../store/state/state.ts';
import { LocalState } from './local-state.ts';

export interface OfflineDevice {
  readonly id: string;
  readonly provisioned: boolean;
  readonly lastSeenAt: number | null;
}

/** Provisioning while no daemon runs; the same rules as with one. */
export interface OfflineDevices {
  list(): Promise<readonly OfflineDevice[]>;
  /** @throws SluiceError as DeviceRegistry.add */
  add(id: string, secret?: string): Promise<string>;
  /** @throws SluiceError as DeviceRegistry.adopt */
  adopt(id: string, secretHash: string): Promise<void>;
  remove(id: string): Promise<boolean>;
  close(): Promise<void>;
}

export interface OfflineOptions {
  readonly dataDir: string;
  readonly maxDevices: number;
  /** The user that this process runs as. */
  readonly uid?: number | undefined;
}

/**
 * @throws SluiceError `foreign_data_dir`; `locked`, naming the pid of the daemon that has the directory;
 * `data_dir_unusable`
 */
export async function openStateOffline(options: OfflineOptions): Promise<OfflineDevices> {
  const { dataDir, maxDevices, uid = process.getuid?.() } = options;
  refuseForeign(dataDir, uid);
  const logger = createLogger({ level: 'error', format: 'auto' });
  const lock = new DataDirLock(dataDir);
  const state = new LocalState(new State(join(dataDir, 'state.db')));
  const devices = new DeviceMap(maxDevices, new LatestBudget({ maxMetrics: 0, maxBytes: 0 }));
  for (const row of await state.loadDevices()) devices.load(row);
  const provisioning = new Provisioning(devices, { state, logger, now: Date.now });
  return {
    list: async () =>
      (await state.loadDevices()).map(({ id, secretHash, lastSeenAt }) => ({
        id,
        provisioned: secretHash !== null,
        lastSeenAt,
      })),
    add: (id, secret) => provisioning.add(id, secret),
    adopt: (id, secretHash) => provisioning.adopt(id, secretHash),
    remove: (id) => provisioning.remove(id),
    close: async () => {
      state.close();
      lock.release();
    },
  };
}

/** Files that root makes there could not be written by the gateway, which runs as somebody else. */
function refuseForeign(dataDir: string, uid: number | undefined): void {
  const owner = statSync(dataDir, { throwIfNoEntry: false })?.uid;
  if (owner === undefined || owner === uid) return;
  throw new SluiceError(`the data directory ${dataDir} belongs to another user (uid ${owner})`, {
    code: 'foreign_data_dir',
    hint: `start the gateway first, or run this as that user: sudo -u '#${owner}' sluice ...`,
  });
}
