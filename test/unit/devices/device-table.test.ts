import { setImmediate as caughtUpWithNothing } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Observation } from '../../../src/core/views.ts';
import { DeviceTable, type DeviceTableOptions } from '../../../src/devices/device-table.ts';
import { FakeStateStore } from '../../support/fake-state-store.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const NOON = Date.UTC(2026, 4, 1, 12);

let state: FakeStateStore;
let logger: MemoryLogger;
const tables: DeviceTable[] = [];

beforeEach(() => {
  state = new FakeStateStore();
  logger = new MemoryLogger();
});

afterEach(async () => {
  for (const table of tables.splice(0)) await table.stop();
});

async function startTable(options: Partial<DeviceTableOptions> = {}): Promise<DeviceTable> {
  const table = new DeviceTable(
    { maxDevices: 100, maxMetrics: 10, ...options },
    {
      state,
      logger,
      now: () => NOON,
      read: async (_stream, after) => ({ records: [], upTo: after, damaged: [], hasMore: false }),
    },
  );
  tables.push(table);
  await table.start();
  await caughtUpWithNothing();
  return table;
}

function observation(device: string, seq: number, metrics: Observation['metrics'] = { t: seq }): Observation {
  return { device, seq, receivedAt: NOON + seq, observedAt: null, metrics };
}

describe('the directory', () => {
  it('knows a device from its first record on', async () => {
    const table = await startTable();
    table.recordsAccepted([observation('pump', 1), observation('pump', 2), observation('valve', 3, null)]);
    expect(table.get('pump')).toEqual({
      id: 'pump',
      online: false,
      provisioned: false,
      firstSeenAt: NOON + 1,
      lastSeenAt: NOON + 2,
      metricCount: 1,
    });
    expect(table.latest('pump')).toEqual([{ metric: 't', value: 2, seq: 2, receivedAt: NOON + 2, observedAt: null }]);
    expect(table.latest('valve')).toEqual([]);
    expect(table.get('unknown')).toBeUndefined();
    expect(table.latest('unknown')).toBeUndefined();
    expect(table.count()).toBe(2);
  });

  it('lists devices by id, page by page', async () => {
    const table = await startTable();
    const ids = ['b', 'a', '__proto__', 'c', 'constructor'];
    table.recordsAccepted(ids.map((id, index) => observation(id, index + 1)));
    const page = (after: string, limit: number) => table.list(after, limit).map((view) => view.id);
    expect(page('', 2)).toEqual(['__proto__', 'a']);
    expect(page('a', 2)).toEqual(['b', 'c']);
    expect(page('c', 2)).toEqual(['constructor']);
    expect(page('bb', 10)).toEqual(['c', 'constructor']);
    expect(page('zz', 10)).toEqual([]);
  });

  it('shows when a device spoke last although the clock was set back', async () => {
    const table = await startTable();
    table.recordsAccepted([{ ...observation('pump', 1), receivedAt: NOON }]);
    table.recordsAccepted([{ ...observation('pump', 2), receivedAt: NOON - 3_600_000 }]);
    expect(table.get('pump')?.lastSeenAt).toBe(NOON - 3_600_000);
  });

  it('lists no more devices than allowed, says so once, and follows those it has', async () => {
    const table = await startTable({ maxDevices: 2 });
    table.recordsAccepted(['a', 'b', 'c', 'd', 'a'].map((id, index) => observation(id, index + 1)));
    expect(table.list('', 10).map((view) => view.id)).toEqual(['a', 'b']);
    expect(table.get('a')?.lastSeenAt).toBe(NOON + 5);
    expect(table.unlistedRecordCount()).toBe(2);
    expect(logger.lines.map((line) => line.message)).toEqual(['devices.max is reached: new devices are not listed']);
  });

  it('says once that values are not kept', async () => {
    const table = await startTable({ maxMetrics: 1 });
    table.recordsAccepted([1, 2, 3].map((seq) => observation('pump', seq, { a: 1, b: 1, c: 1 })));
    expect(table.latest('pump')).toHaveLength(1);
    expect(logger.lines).toHaveLength(1);
  });
});

describe('presence', () => {
  it('holds while any session of the device is there', async () => {
    const table = await startTable();
    table.recordsAccepted([observation('pump', 1)]);
    table.online('pump');
    table.online('pump');
    table.offline('pump');
    expect(table.get('pump')?.online).toBe(true);
    table.offline('pump');
    table.offline('pump');
    expect(table.get('pump')?.online).toBe(false);
    table.online('pump');
    expect(table.get('pump')?.online).toBe(true);
  });

  it('alone makes nobody a device', async () => {
    const table = await startTable();
    table.online('mosq-Xk2');
    expect(table.count()).toBe(0);
  });

  it('comes after an introduction where a device has not said anything yet', async () => {
    const table = await startTable();
    table.introduce('lamp');
    table.online('lamp');
    expect(table.get('lamp')).toMatchObject({ id: 'lamp', online: true, firstSeenAt: null, metricCount: 0 });
  });

  it('knows the devices of former runs', async () => {
    await state.putSecret('pump', 'a'.repeat(64));
    expect([...(await startTable()).known()]).toEqual(['pump']);
  });
});

describe('what is known', () => {
  it('is saved at stop and there again after a restart', async () => {
    const table = await startTable();
    table.recordsAccepted([observation('pump', 1, { t: 21.5, __proto__: null }), observation('valve', 2)]);
    const views = table.list('', 10);
    const latest = table.latest('pump');
    await table.stop();
    expect(await state.seenUpTo()).toBe(2);
    state = state.reopened();
    const restarted = await startTable();
    expect(restarted.list('', 10)).toEqual(views);
    expect(restarted.latest('pump')).toEqual(latest);
  });

  it('is saved after so many records', async () => {
    const table = await startTable({ saveEveryRecordCount: 10 });
    for (let seq = 1; seq <= 9; seq += 1) table.recordsAccepted([observation('pump', seq)]);
    expect(state.calls).toEqual([]);
    table.recordsAccepted([observation('pump', 10)]);
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(10));
  });

  it('is saved from time to time', async () => {
    const table = await startTable({ saveIntervalMs: 5 });
    table.recordsAccepted([observation('pump', 1)]);
    await vi.waitFor(async () => expect(await state.seenUpTo()).toBe(1));
  });

  it('is not written when nothing has changed', async () => {
    const table = await startTable();
    await table.stop();
    expect(state.calls).toEqual([]);
  });

  it('is saved in pieces, of which only the last one moves the seq on', async () => {
    const table = await startTable({ maxDevices: 1_000 });
    for (let seq = 1; seq <= 250; seq += 1) table.recordsAccepted([observation(`device-${seq}`, seq)]);
    const seqs: number[] = [];
    state.beforeAnswer = async () => void seqs.push(await state.seenUpTo());
    await table.stop();
    expect(seqs).toEqual([0, 0, 250]);
    expect(await state.loadDevices()).toHaveLength(250);
  });

  it('is saved again when the disk failed', async () => {
    const table = await startTable({ saveIntervalMs: 5 });
    let failures = 2;
    state.beforeAnswer = async () => {
      failures -= 1;
      if (failures >= 0) throw new Error('disk I/O error');
    };
    table.recordsAccepted([observation('pump', 1)]);
    await vi.waitFor(() => expect(state.calls.length).toBeGreaterThan(2));
    expect(logger.lines.map((line) => line.fields)).toEqual(Array(2).fill({ reason: 'disk I/O error' }));
  });

  it('does not hold up the stop when the store does not answer', async () => {
    const table = await startTable();
    table.recordsAccepted([observation('pump', 1)]);
    state.beforeAnswer = () => new Promise(() => undefined);
    vi.useFakeTimers();
    const stopped = table.stop();
    await vi.advanceTimersByTimeAsync(10_000);
    vi.useRealTimers();
    await stopped;
    expect(state.calls).toEqual(['saveSeen']);
  });

  it('starts without latest values that cannot be read', async () => {
    await state.saveSeen(
      [
        { id: 'pump', secretHash: null, firstSeenAt: NOON, lastSeenAt: NOON, latest: '[["t",1,1,1,null],[' },
        { id: 'valve', secretHash: null, firstSeenAt: NOON, lastSeenAt: NOON, latest: '{"t":1}' },
      ],
      7,
    );
    const table = await startTable();
    expect(table.latest('pump')).toEqual([]);
    expect(table.latest('valve')).toEqual([]);
    expect(table.get('pump')?.lastSeenAt).toBe(NOON);
  });
});
