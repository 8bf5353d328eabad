import { createHash, pbkdf2Sync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DeviceTable } from '../../../src/devices/device-table.ts';
import { FakeStateStore } from '../../support/fake-state-store.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

let state: FakeStateStore;
let table: DeviceTable;

beforeEach(async () => {
  state = new FakeStateStore();
  table = await startTable();
});

afterEach(() => table.stop());

async function startTable(): Promise<DeviceTable> {
  const started = new DeviceTable(
    { maxDevices: 3, maxMetrics: 10 },
    {
      state,
      logger: new MemoryLogger(),
      now: () => 0,
      read: async (_stream, after) => ({ records: [], upTo: after, damaged: [], hasMore: false }),
    },
  );
  await started.start();
  return started;
}

function see(device: string): void {
  table.recordsAccepted([{ device, seq: 1, receivedAt: 1, observedAt: null, metrics: { t: 1 } }]);
}

describe('provisioning', () => {
  it('makes a secret of 256 random bits that opens the door', async () => {
    const secret = await table.add('pump');
    expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
    expect(await table.add('valve')).not.toBe(secret);
    expect(await table.authenticate('pump', secret)).toBe(true);
    expect(await table.authenticate('valve', secret)).toBe(false);
    expect(await table.authenticate('pump', `${secret}x`)).toBe(false);
    expect(await table.authenticate('pump', '')).toBe(false);
    expect(table.get('pump')?.provisioned).toBe(true);
  });

  it('stores the hash alone', async () => {
    const secret = await table.add('pump', 'sixteen chars ok');
    expect(secret).toBe('sixteen chars ok');
    const [row] = await state.loadDevices();
    expect(row?.secretHash).toBe(createHash('sha256').update(secret).digest('hex'));
  });

  it('lets a device in after a restart', async () => {
    const secret = await table.add('pump');
    await table.stop();
    state = state.reopened();
    table = await startTable();
    expect(await table.authenticate('pump', secret)).toBe(true);
  });

  it.each(['pump', '__proto__', 'constructor'])('lets nobody in as %s when there is no such device', async (id) => {
    see('pump');
    expect(await table.authenticate(id, 'anything at all!')).toBe(false);
  });

  it('gives a device that was only seen a secret', async () => {
    see('pump');
    const secret = await table.add('pump');
    expect(await table.authenticate('pump', secret)).toBe(true);
    expect(table.get('pump')).toMatchObject({ provisioned: true, metricCount: 1 });
  });

  it.each([
    ['weak_secret', 'pump', 'fifteen chars..'],
    ['bad_device_id', 'a/b', undefined],
    ['bad_device_id', '', undefined],
  ])('refuses with %s', async (code, id, secret) => {
    await expect(table.add(id, secret)).rejects.toMatchObject({ code, hint: expect.any(String) });
    expect(await state.loadDevices()).toEqual([]);
  });

  it('refuses a second secret, also when both are asked for at once', async () => {
    const results = await Promise.allSettled([table.add('pump'), table.add('pump')]);
    expect(results).toMatchObject([{ status: 'fulfilled' }, { status: 'rejected', reason: { code: 'device_exists' } }]);
  });

  it('refuses more devices than allowed, but not those that are known', async () => {
    see('pump');
    await table.add('valve');
    await table.add('lamp');
    await expect(table.add('fan')).rejects.toMatchObject({ code: 'too_many_devices' });
    await table.add('pump');
  });

  it('leaves memory as it was when the disk fails', async () => {
    state.beforeAnswer = () => Promise.reject(new Error('disk I/O error'));
    await expect(table.add('pump')).rejects.toThrow('disk I/O error');
    expect(table.get('pump')).toBeUndefined();
    state.beforeAnswer = () => Promise.resolve();
    await table.add('pump');
  });

  it('takes a device away with everything, once', async () => {
    const secret = await table.add('pump');
    see('pump');
    expect(await table.remove('pump')).toBe(true);
    expect(await table.remove('pump')).toBe(false);
    expect(await table.authenticate('pump', secret)).toBe(false);
    await table.stop();
    expect(await state.loadDevices()).toEqual([]);
  });

  it('takes away a device that is not on disk yet', async () => {
    see('pump');
    expect(await table.remove('pump')).toBe(true);
    expect(table.count()).toBe(0);
  });

  it('ends as it was told last when adding and removing overlap', async () => {
    const added = table.add('pump');
    const removed = table.remove('pump');
    expect(await removed).toBe(true);
    expect(await table.authenticate('pump', await added)).toBe(false);
    expect(await state.loadDevices()).toEqual([]);
  });
});

describe('a device with a password of earlier', () => {
  const password = 'old password';
  const salt = Buffer.from('HFE7erR1//502NYe', 'base64');
  const hash = (iterations: number): string =>
    `$7$${iterations}$${salt.toString('base64')}$${pbkdf2Sync(password, salt, iterations, 64, 'sha512').toString('base64')}`;

  it('keeps it, also after a restart', async () => {
    await table.adopt('meter', hash(101));
    expect(await table.authenticate('meter', password)).toBe(true);
    await table.stop();
    state = state.reopened();
    table = await startTable();
    expect(await table.authenticate('meter', password)).toBe(true);
    expect(await table.authenticate('meter', 'another password')).toBe(false);
    expect(table.get('meter')?.provisioned).toBe(true);
  });

  it('is not let in when it is removed while the password is checked', async () => {
    await table.adopt('meter', hash(100_000));
    const checking = table.authenticate('meter', password);
    await table.remove('meter');
    expect(await checking).toBe(false);
  });

  it('gets no second one, and none that cannot be checked', async () => {
    await table.add('pump');
    await expect(table.adopt('pump', hash(101))).rejects.toMatchObject({ code: 'device_exists' });
    await expect(table.adopt('valve', '$9$x$y')).rejects.toMatchObject({
      code: 'bad_secret_hash',
      hint: expect.any(String),
    });
    await expect(table.adopt('a/b', hash(101))).rejects.toMatchObject({ code: 'bad_device_id' });
  });
});

describe('client ids', () => {
  it('belong to the first identity that uses them, an anonymous one included', async () => {
    expect(await table.claimClientId('c1', 'pump')).toBe(true);
    expect(await table.claimClientId('c1', null)).toBe(false);
    expect(await table.claimClientId('c2', null)).toBe(true);
    expect(await table.claimClientId('c2', null)).toBe(true);
    expect(await table.claimClientId('c2', 'pump')).toBe(false);
  });
});
