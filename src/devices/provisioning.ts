import { isDeviceId } from '../core/device-id.ts';
import { SluiceError } from '../core/errors.ts';
import { parseSecretHash } from '../core/secret-hash.ts';
import type { StateStore } from '../core/state-store.ts';
import type { AccessControl, DeviceRegistry } from '../core/views.ts';
import type { Logger } from '../platform/logger.ts';
import type { DeviceMap } from './device-map.ts';
import { SecretChecks } from './secret-checks.ts';
import { checkSecret, generateSecret, hashSecret } from './secrets.ts';

const ANONYMOUS_OWNER = '';

export interface ProvisioningPorts {
  readonly state: StateStore;
  readonly logger: Logger;
  /** UTC milliseconds since 1970. */
  readonly now: () => number;
}

/** Who may log in. A secret holds from the moment it is on disk until its removal is asked for. */
export class Provisioning implements DeviceRegistry, AccessControl {
  readonly #devices: DeviceMap;
  readonly #state: StateStore;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #checks = new SecretChecks();
  #last: Promise<unknown> = Promise.resolve();

  constructor(devices: DeviceMap, { state, logger, now }: ProvisioningPorts) {
    this.#devices = devices;
    this.#state = state;
    this.#logger = logger;
    this.#now = now;
  }

  add(id: string, secret: string = generateSecret()): Promise<string> {
    return this.#inTurn(async () => {
      checkSecret(secret);
      await this.#put(id, hashSecret(secret).toString('hex'));
      return secret;
    });
  }

  adopt(id: string, secretHash: string): Promise<void> {
    return this.#inTurn(async () => {
      if (parseSecretHash(secretHash) === undefined) throw badHash();
      await this.#put(id, secretHash);
    });
  }

  remove(id: string): Promise<boolean> {
    return this.#inTurn(async () => {
      const known = this.#devices.get(id) !== undefined;
      this.#devices.delete(id);
      const removed = (await this.#state.removeDevice(id)) || known;
      if (removed) this.#logger.info({ device: id }, 'device removed');
      return removed;
    });
  }

  async authenticate(device: string, secret: string, isGone?: () => boolean): Promise<boolean> {
    const hashNow = (): string | null => this.#devices.get(device)?.secretHash ?? null;
    const stored = hashNow();
    // The device may have been removed while its password was checked.
    return (await this.#checks.matches({ device, secret, stored, isGone })) && hashNow() === stored;
  }

  claimClientId(clientId: string, identity: string | null): Promise<boolean> {
    return this.#state.claimClientId(clientId, identity ?? ANONYMOUS_OWNER, this.#now());
  }

  async #put(id: string, secretHash: string): Promise<void> {
    this.#checkNew(id);
    await this.#state.putSecret(id, secretHash);
    this.#devices.provide(id).secretHash = secretHash;
    this.#logger.info({ device: id }, 'device added');
  }

  /** One change at a time, so that memory and disk change in the same order. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(change);
    this.#last = result.catch(() => undefined);
    return result;
  }

  #checkNew(id: string): void {
    if (!isDeviceId(id)) {
      throw new SluiceError('this is no device id', {
        code: 'bad_device_id',
        hint: 'Use 1 to 128 characters of A-Z a-z 0-9 . _ -',
      });
    }
    const known = this.#devices.get(id);
    if (known !== undefined && known.secretHash !== null) {
      throw new SluiceError(`device ${id} has a secret already`, {
        code: 'device_exists',
        hint: 'Remove the device first to give it a new secret.',
      });
    }
    if (known === undefined && this.#devices.isFull) throw tooMany();
  }
}

function badHash(): SluiceError {
  return new SluiceError('this is no hash of a secret that can be checked', {
    code: 'bad_secret_hash',
    hint: 'Hashes are taken over as mosquitto_passwd writes them: $7$ and $6$.',
  });
}

function tooMany(): SluiceError {
  return new SluiceError('there are as many devices as devices.max allows', {
    code: 'too_many_devices',
    hint: 'Remove devices that are gone, or raise devices.max.',
  });
}
