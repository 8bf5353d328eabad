import type { Config } from '../config/config.ts';
import { codeOf } from '../core/errors.ts';
import { Daemon } from './daemon.ts';

export interface KnownDevice {
  readonly id: string;
  /** It has a secret to log in with. */
  readonly provisioned: boolean;
  /** Null when no gateway runs. */
  readonly online: boolean | null;
  /** RFC 3339 UTC. */
  readonly last_seen_at: string | null;
}

/** Provisioning, by the running gateway or on its files. */
export interface DeviceAdmin {
  list(): Promise<readonly KnownDevice[]>;
  /** Returns the secret. @throws SluiceError `device_exists`, `bad_device_id`, `too_many_devices`, `weak_secret` */
  add(id: string, secret?: string): Promise<string>;
  /** @throws SluiceError `device_exists`, `bad_device_id`, `too_many_devices`, `bad_secret_hash` */
  adopt(id: string, secretHash: string): Promise<void>;
  /** False when there is no such device. */
  remove(id: string): Promise<boolean>;
}

/**
 * Does the work with the running gateway. When none runs it opens the files itself: the lock on the data directory
 * decides, so a gateway that starts meanwhile is never disturbed.
 */
export async function withDevices<T>(
  { gateway, devices }: Config,
  work: (admin: DeviceAdmin) => Promise<T>,
): Promise<T> {
  try {
    return await work(new DaemonDevices(new Daemon(gateway.dataDir)));
  } catch (error) {
    if (codeOf(error) !== 'not_running') throw error;
  }
  // Loaded late: with a running gateway nothing native is needed.
  const { openStateOffline } = await import('../gateway/offline.ts');
  const offline = await openStateOffline({ dataDir: gateway.dataDir, maxDevices: devices.max });
  try {
    return await work({
      add: offline.add,
      adopt: offline.adopt,
      remove: offline.remove,
      list: async () => (await offline.list()).map(offlineDevice),
    });
  } finally {
    await offline.close();
  }
}

class DaemonDevices implements DeviceAdmin {
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  async list(): Promise<readonly KnownDevice[]> {
    const { body } = await this.#daemon.ask('GET', '/control/devices');
    return (body as { devices: readonly KnownDevice[] }).devices;
  }

  async add(id: string, secret?: string): Promise<string> {
    const { body } = await this.#daemon.ask('POST', '/control/devices', { id, secret });
    return (body as { secret: string }).secret;
  }

  async adopt(id: string, secretHash: string): Promise<void> {
    await this.#daemon.ask('POST', '/control/hashes', { id, secret_hash: secretHash });
  }

  async remove(id: string): Promise<boolean> {
    try {
      await this.#daemon.ask('DELETE', `/control/devices/${encodeURIComponent(id)}`);
      return true;
    } catch (error) {
      if (codeOf(error) === 'device_not_found') return false;
      throw error;
    }
  }
}

interface OfflineDevice {
  readonly id: string;
  readonly provisioned: boolean;
  readonly lastSeenAt: number | null;
}

function offlineDevice({ id, provisioned, lastSeenAt }: OfflineDevice): KnownDevice {
  const lastSeen = lastSeenAt === null ? null : new Date(lastSeenAt).toISOString();
  return { id, provisioned, online: null, last_seen_at: lastSeen };
}
