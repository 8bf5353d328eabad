import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DeviceRow, StateStore } from '../../src/core/state-store.ts';

export interface StateStoreUnderTest {
  readonly store: StateStore;
  /** Closes the store and opens what it left behind, as a restart does. */
  reopen(): Promise<StateStore>;
  close(): Promise<void>;
}

const HASH_A = 'a'.repeat(64);
const HASH_B = 'b'.repeat(64);
const ODD_IDS = ['__proto__', 'constructor', 'toString', '.', '..', '-'];

function seen(id: string, changes: Partial<DeviceRow> = {}): DeviceRow {
  return {
    id,
    secretHash: null,
    firstSeenAt: 1_000,
    lastSeenAt: 2_000,
    latest: '[["t",21.5,7,2000,null]]',
    ...changes,
  };
}

function byId(rows: readonly DeviceRow[]): DeviceRow[] {
  return [...rows].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The promises of the port `StateStore`, for every implementation. `make` gives an empty store. */
export function stateStoreContract(name: string, make: () => Promise<StateStoreUnderTest>): void {
  describe(`${name} as a StateStore`, () => {
    let subject: StateStoreUnderTest;
    let store: StateStore;

    beforeEach(async () => {
      subject = await make();
      store = subject.store;
    });

    afterEach(() => subject.close());

    it('is empty at first', async () => {
      expect(await store.loadDevices()).toEqual([]);
      expect(await store.seenUpTo()).toBe(0);
      expect(await store.pausedUplinks()).toEqual([]);
    });

    it('keeps secrets of devices that were never seen', async () => {
      await store.putSecret('pump', HASH_A);
      expect(await (await subject.reopen()).loadDevices()).toEqual([
        { id: 'pump', secretHash: HASH_A, firstSeenAt: null, lastSeenAt: null, latest: null },
      ]);
    });

    it('replaces a secret and leaves what was seen', async () => {
      await store.saveSeen([seen('pump')], 7);
      await store.putSecret('pump', HASH_A);
      await store.putSecret('pump', HASH_B);
      expect(await store.loadDevices()).toEqual([seen('pump', { secretHash: HASH_B })]);
    });

    it('keeps what was seen with the seq it was derived up to', async () => {
      const rows = [seen('pump'), seen('valve', { firstSeenAt: null, lastSeenAt: null, latest: null })];
      await store.saveSeen(rows, Number.MAX_SAFE_INTEGER);
      const reopened = await subject.reopen();
      expect(byId(await reopened.loadDevices())).toEqual(rows);
      expect(await reopened.seenUpTo()).toBe(Number.MAX_SAFE_INTEGER);
    });

    it('replaces what was seen and leaves other devices alone', async () => {
      await store.saveSeen([seen('pump'), seen('valve')], 7);
      await store.saveSeen([seen('pump', { lastSeenAt: 3_000, latest: null })], 8);
      const rows = [seen('pump', { lastSeenAt: 3_000, latest: null }), seen('valve')];
      expect(byId(await store.loadDevices())).toEqual(rows);
      expect(await store.seenUpTo()).toBe(8);
    });

    it('moves the seq on without any device', async () => {
      await store.saveSeen([], 9);
      expect(await store.seenUpTo()).toBe(9);
    });

    it('never touches a secret when it saves what was seen', async () => {
      await store.putSecret('pump', HASH_A);
      await store.saveSeen([seen('pump', { secretHash: HASH_B }), seen('valve', { secretHash: HASH_B })], 7);
      expect(byId(await store.loadDevices())).toEqual([seen('pump', { secretHash: HASH_A }), seen('valve')]);
    });

    it('keeps devices of any name apart', async () => {
      for (const id of ODD_IDS) await store.putSecret(id, HASH_A);
      await store.saveSeen(
        ODD_IDS.map((id) => seen(id)),
        7,
      );
      const rows = await (await subject.reopen()).loadDevices();
      expect(byId(rows)).toEqual(byId(ODD_IDS.map((id) => seen(id, { secretHash: HASH_A }))));
    });

    it('removes a device with all that is known of it, once', async () => {
      await store.putSecret('pump', HASH_A);
      await store.saveSeen([seen('pump'), seen('valve')], 7);
      expect(await store.removeDevice('pump')).toBe(true);
      expect(await store.removeDevice('pump')).toBe(false);
      expect(await (await subject.reopen()).loadDevices()).toEqual([seen('valve')]);
    });

    it('lets the first owner have a client id, over a restart', async () => {
      expect(await store.claimClientId('c1', 'pump', 1)).toBe(true);
      expect(await store.claimClientId('c1', 'pump', 2)).toBe(true);
      expect(await store.claimClientId('c1', 'valve', 3)).toBe(false);
      expect(await (await subject.reopen()).claimClientId('c1', 'valve', 4)).toBe(false);
    });

    it('takes the anonymous owner for an owner like any other', async () => {
      expect(await store.claimClientId('c1', '', 1)).toBe(true);
      expect(await store.claimClientId('c1', 'pump', 2)).toBe(false);
      expect(await store.claimClientId('c2', 'pump', 3)).toBe(true);
      expect(await store.claimClientId('c2', '', 4)).toBe(false);
    });

    it('gives a client id that is the id of a device to that device, whoever had it before', async () => {
      expect(await store.claimClientId('pump', 'valve', 1)).toBe(true);
      expect(await store.claimClientId('pump', 'pump', 2)).toBe(true);
      expect(await store.claimClientId('pump', 'valve', 3)).toBe(false);
      expect(await (await subject.reopen()).claimClientId('pump', '', 4)).toBe(false);
    });

    it('keeps the client id of a device with a secret for it, and not that of one that was only seen', async () => {
      await store.putSecret('pump', HASH_A);
      await store.saveSeen([seen('valve')], 7);
      expect(await store.claimClientId('pump', '', 1)).toBe(false);
      expect(await store.claimClientId('pump', 'evil', 2)).toBe(false);
      expect(await store.claimClientId('pump', 'pump', 3)).toBe(true);
      expect(await store.claimClientId('valve', '', 4)).toBe(true);
    });

    it('gives a client id to one of two who ask at the same time', async () => {
      const answers = await Promise.all(['pump', 'valve'].map((owner) => store.claimClientId('c1', owner, 1)));
      expect(answers).toEqual([true, false]);
    });

    it('keeps the newest claim of an owner who has very many, whatever the clock says', async () => {
      const claims = Array.from({ length: 1_000 }, (_, i) => store.claimClientId(`c${i}`, 'pump', 1e12 + i));
      await Promise.all(claims);
      expect(await store.claimClientId('newest', 'pump', 0)).toBe(true);
      expect(await store.claimClientId('newer', 'pump', 1)).toBe(true);
      expect(await store.claimClientId('newest', 'valve', 2)).toBe(false);
    });

    it('frees the client ids of a device that is removed', async () => {
      await store.putSecret('pump', HASH_A);
      await store.claimClientId('c1', 'pump', 1);
      await store.removeDevice('pump');
      expect(await store.claimClientId('c1', 'valve', 2)).toBe(true);
    });

    it('does what it is told in the order it is told, without waiting in between', async () => {
      await Promise.all([
        store.putSecret('pump', HASH_A),
        store.saveSeen([seen('pump')], 7),
        store.removeDevice('pump'),
        store.saveSeen([seen('pump', { latest: null })], 8),
      ]);
      expect(await store.loadDevices()).toEqual([seen('pump', { latest: null })]);
      expect(await store.seenUpTo()).toBe(8);
    });

    it('remembers which uplinks are paused', async () => {
      await store.setPaused('plant', true);
      await store.setPaused('plant', true);
      await store.setPaused('stick', true);
      await store.setPaused('stick', false);
      await store.setPaused('never', false);
      expect(await (await subject.reopen()).pausedUplinks()).toEqual(['plant']);
    });
  });
}
