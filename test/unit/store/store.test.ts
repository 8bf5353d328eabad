import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const ALL = { maxRecords: 10_000, maxBytes: 2 ** 30 };

describe('the store', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir });
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function reopen(): Promise<void> {
    await store.close();
    store = await openStore({ dataDir: directory.dataDir });
  }

  it('gives a record back byte for byte', async () => {
    const record = newRecord({ observedAt: 1_600_000_000_123, eventType: 'türöffnung', stream: 'events' });
    const { firstSeq } = await store.client.append(entryOf(record));
    const batch = store.reader.read('events', 0, ALL);
    expect(batch).toMatchObject({ upTo: firstSeq, damaged: [] });
    expect(batch.records[0]).toEqual({ ...record, seq: firstSeq });
  });

  it('gives the records of one entry consecutive seqs', async () => {
    const first = await store.client.append(entryOf(newRecord(), newRecord(), newRecord()));
    const next = await store.client.append(entryOf(newRecord()));
    expect(next.firstSeq).toBe(first.firstSeq + 3);
  });

  it('never gives out a seq a second time, also after a start', async () => {
    const { firstSeq } = await store.client.append(entryOf(newRecord()));
    await reopen();
    const after = await store.client.append(entryOf(newRecord()));
    expect(after.firstSeq).toBeGreaterThan(firstSeq);
    expect(store.reader.read('telemetry', 0, ALL).records).toHaveLength(2);
  });

  it('resolves appends in the order of the calls, refused messages and barriers included', async () => {
    const order: string[] = [];
    const message = { source: 'mqtt', reason: 'invalid_json', channel: 't', receivedAt: 1, payload: Buffer.from('x') };
    await Promise.all([
      store.client.append(entryOf(newRecord())).then(() => order.push('record')),
      store.client
        .append({ kind: 'refused', message: { ...message, source: 'mqtt' } })
        .then(() => order.push('refused')),
      store.client.append({ kind: 'barrier' }).then(() => order.push('barrier')),
      store.client.append(entryOf(newRecord())).then(() => order.push('record')),
    ]);
    expect(order).toEqual(['record', 'refused', 'barrier', 'record']);
    expect((await store.client.stats()).refusedCount).toBe(1);
  });

  it('commits everything that waits together', async () => {
    await Promise.all(Array.from({ length: 500 }, () => store.client.append(entryOf(newRecord()))));
    expect(store.commits.length).toBeLessThan(10);
    expect((await store.client.stats()).streams[0]).toMatchObject({ acceptedCount: 500, storedCount: 500 });
  });

  it('keeps its epoch and its gateway id over a start', async () => {
    const { epoch, gatewayId } = store.opened;
    await reopen();
    expect(store.opened).toMatchObject({ epoch, gatewayId });
    expect(gatewayId).toBe('shed-012345');
  });

  it('takes a new epoch on another machine', async () => {
    const { epoch } = store.opened;
    await store.close();
    store = await openStore({ dataDir: directory.dataDir, machineId: 'f'.repeat(32) });
    expect(store.opened.epoch).not.toBe(epoch);
  });

  it('makes its directory with the parents, and gives up where a file system refuses that', async () => {
    await store.close();
    store = await openStore({ dataDir: join(directory.dataDir, 'a/b') });
    await expect(openStore({ dataDir: '/proc/sluice' })).rejects.toMatchObject({ code: 'data_dir_unusable' });
  });

  it('refuses a second gateway on the same directory and names the first one', async () => {
    await expect(openStore({ dataDir: directory.dataDir })).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`pid ${process.pid}`),
    });
  });

  describe('QoS 2 handshakes', () => {
    const handshake = { clientId: 'client', packetId: 7 };
    const publish = () => store.client.append({ kind: 'records', records: [newRecord()], handshake });

    it('store a repeated message once, also over a start', async () => {
      expect(await publish()).toMatchObject({ duplicate: false });
      expect(await publish()).toEqual({ firstSeq: 0, duplicate: true });
      await reopen();
      expect(store.opened.openHandshakes).toEqual([handshake]);
      expect(await publish()).toEqual({ firstSeq: 0, duplicate: true });
      expect(store.reader.read('telemetry', 0, ALL).records).toHaveLength(1);
    });

    it('store a new message under a packet id that was released', async () => {
      await publish();
      await store.client.append({ kind: 'release', clientId: 'client', packetId: 7 });
      expect(await publish()).toMatchObject({ duplicate: false });
    });

    it('are all forgotten with the client', async () => {
      await publish();
      await store.client.append({ kind: 'release', clientId: 'client', packetId: null });
      await reopen();
      expect(store.opened.openHandshakes).toEqual([]);
    });
  });

  describe('lanes', () => {
    it('count a settled batch, and go on from there after a start', async () => {
      const { firstSeq } = await store.client.append(entryOf(newRecord(), newRecord(), newRecord()));
      const from = await store.lanes.open(LANE, 'oldest');
      const rejected = [{ seq: firstSeq + 1, reason: 'message_too_large', detail: 'too large' }];
      await store.lanes.settle({ lane: LANE, from, upTo: firstSeq + 1, deliveredCount: 1, rejected });
      await reopen();
      expect(await store.lanes.open(LANE, 'oldest')).toBe(firstSeq + 1);
      const { lanes, rejectsCount } = await store.client.stats();
      expect(rejectsCount).toBe(1);
      expect(lanes).toMatchObject([{ acceptedCount: 3, deliveredCount: 1, rejectedCount: 1, pendingCount: 1 }]);
    });

    it('begin at the oldest record, or now', async () => {
      await store.client.append(entryOf(newRecord(), newRecord()));
      await store.lanes.open(LANE, 'oldest');
      await store.lanes.open({ ...LANE, uplink: 'late' }, 'now');
      await store.client.append(entryOf(newRecord()));
      const { lanes } = await store.client.stats();
      expect(lanes.map(({ uplink, pendingCount }) => [uplink, pendingCount]).sort()).toEqual([
        ['late', 1],
        ['plant', 3],
      ]);
    });

    it('refuse a settlement that does not begin at the cursor', async () => {
      await store.lanes.open(LANE, 'oldest');
      const settlement = { lane: LANE, from: 17, upTo: 18, deliveredCount: 1, rejected: [] };
      await expect(store.lanes.settle(settlement)).rejects.toMatchObject({ code: 'settle_out_of_step' });
      expect((await store.client.stats()).lanes[0]).toMatchObject({ cursor: 0, deliveredCount: 0 });
    });

    it('are woken by the next record of their stream', async () => {
      const { signal } = new AbortController();
      const { lastSeq } = (await store.client.stats()).streams[0] ?? { lastSeq: -1 };
      const woken = store.lanes.wait({ uplink: 'plant', stream: 'telemetry' }, lastSeq, signal);
      const { firstSeq } = await store.client.append(entryOf(newRecord()));
      await woken;
      expect(store.reader.read('telemetry', lastSeq, ALL).upTo).toBe(firstSeq);
    });
  });
});
