import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { waitFor } from '../../support/wait-for.ts';

const MIB = 2 ** 20;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const WAIT = { timeoutMs: 10_000 };

describe('the room that the door is told of', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    store = await openStore({ dataDir: directory.dataDir, maxBytes: 16 * MIB });
    await store.lanes.open(LANE, 'oldest');
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  const append = () => store.client.append(entryOf(newRecord({ value: Buffer.alloc(MIB, 'x') })));

  it('is not limited before the store has said something', () => {
    expect(store.client.room.bytes).toBe(Number.POSITIVE_INFINITY);
  });

  it('is less at once by what is handed over, and stays so once that is stored', async () => {
    await append();
    await waitFor(async () => (await store.client.stats()).room.capacityBytes < 17 * MIB, {
      what: 'a measure',
      ...WAIT,
    });
    const before = store.client.room.bytes;
    const appending = [append(), append()];
    expect((before - store.client.room.bytes) / MIB).toBeCloseTo(2, 1);
    await Promise.all(appending);
    expect((before - store.client.room.bytes) / MIB).toBeCloseTo(2, 0);
  });

  it('is there again when all is delivered, although nothing is appended', async () => {
    for (let count = 0; count < 6; count += 1) await append();
    await waitFor(async () => (await store.client.stats()).room.bytes < 11 * MIB, { what: 'less room', ...WAIT });
    const { lanes, streams } = await store.client.stats();
    const settled = { lane: LANE, from: lanes[0]?.cursor ?? 0, upTo: streams[0]?.lastSeq ?? 0 };
    await store.lanes.settle({ ...settled, deliveredCount: 6, rejected: [] });
    const hasRoom = async () => {
      await store.client.stats();
      return store.client.room.bytes > 14 * MIB;
    };
    await waitFor(hasRoom, { what: 'room', ...WAIT });
  });
});
