import { join } from 'node:path';
import { DeviceMap } from '../devices/device-map.ts';
import { LatestBudget } from '../devices/latest-values.ts';
import { Provisioning } from '../devices/provisioning.ts';
import { createLogger } from '../platform/logger.ts';
import { DataDirLock } from '../store/lock.ts';
import { State } from '../store/state/state.ts';
import { refuseForeign } from './foreign-data-dir.ts';
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
  /** The user that this process runs as, if it is to pass for another one. */
  readonly uid?: number | undefined;
}

/**
 * @throws SluiceError `foreign_data_dir`; `locked`, naming the pid of the daemon that has the directory;
 * `data_dir_unusable`
 */
export async function openStateOffline(options: OfflineOptions): Promise<OfflineDevices> {
  const { dataDir, maxDevices, uid } = options;
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
