import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import type { Untaken } from '../../../src/core/record.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { waitFor } from '../../support/wait-for.ts';

const ALL = { maxRecords: 1_000, maxBytes: 2 ** 24 };
const SHARE = { reason: 'share', stream: 'telemetry', count: 1, bytes: 20, firstAt: 1_000, lastAt: 1_000 } as const;
const WAIT = { timeoutMs: 10_000 };

describe('what is not taken', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let store: OpenStore;
  let elapsed: number;

  beforeEach(async () => {
    directory = storeDirectory();
    elapsed = 0;
    await open();
    for (const uplink of ['plant', 'stick'])
      for (const stream of ['telemetry', 'gaps'] as const) await store.lanes.open({ uplink, stream }, 'oldest');
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function open(): Promise<void> {
    store = await openStore({ dataDir: directory.dataDir }, { elapsed: () => elapsed });
  }

  const refuse = (device: string, changes: Partial<Untaken> = {}, packetId?: number) =>
    store.client.append({
      kind: 'untaken',
      untaken: { ...SHARE, device, ...changes },
      handshake: packetId === undefined ? null : { clientId: 'c', packetId },
    });

  const gaps = (uplink = 'plant') =>
    store.reader
      .read('gaps', 0, ALL)
      .records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap)
      .filter((gap) => gap.uplink === uplink);

  const reported = (count: number) =>
    waitFor(() => gaps().reduce((sum, gap) => sum + gap.count, 0) === count, { what: 'the gaps', ...WAIT });

  it('is reported to every uplink that carries the stream, all that came of a device in one gap', async () => {
    await Promise.all([
      refuse('a'),
      refuse('a', { count: 3, bytes: 60, lastAt: 3_000 }),
      refuse('b', { firstAt: 2_000, lastAt: 2_000 }),
    ]);
    await reported(5);
    const common = { stream: 'telemetry', first_seq: null, last_seq: null, reason: 'share' };
    for (const uplink of ['plant', 'stick']) {
      expect(gaps(uplink)).toMatchObject([
        {
          ...common,
          uplink,
          device: 'a',
          count: 4,
          bytes: 80,
          first_time: new Date(1_000).toISOString(),
          last_time: new Date(3_000).toISOString(),
        },
        { ...common, uplink, device: 'b', count: 1, bytes: 20 },
      ]);
    }
  });

  it('is reported although the store was closed in between', async () => {
    await refuse('a');
    await reported(1);
    // Not due again yet.
    await refuse('a', { count: 7 });
    await store.close();
    await open();
    await reported(8);
    expect((await store.client.stats()).streams[0]?.overShareCount).toBe(8);
  });

  it('is one summary when it is of many devices, and what comes within ten seconds is one report', async () => {
    await refuse('first');
    await reported(1);
    for (let index = 0; index < 40; index += 1) await refuse(`d${index}`);
    expect(gaps()).toHaveLength(1);
    elapsed += 10_000;
    await reported(41);
    expect(gaps()).toMatchObject([{ device: 'first' }, { device: null, count: 40, bytes: 800 }]);
  });

  it('is counted once when its QoS 2 message is repeated', async () => {
    expect(await refuse('a', {}, 7)).toMatchObject({ duplicate: false });
    expect(await refuse('a', {}, 7)).toMatchObject({ duplicate: true });
    await reported(1);
    expect((await store.client.stats()).streams[0]?.overShareCount).toBe(1);
  });

  it('over a serial line is a gap of its own, and no record that was refused', async () => {
    const overrun = { reason: 'overrun', firstAt: 500, lastAt: 900 } as const;
    await Promise.all([
      refuse('a'),
      refuse('a', { ...overrun, count: 5 }),
      refuse('', { ...overrun, stream: 'events' }),
    ]);
    await reported(6);
    expect(gaps()).toMatchObject([
      { reason: 'overrun', stream: 'telemetry', device: 'a', count: 5, first_time: new Date(500).toISOString() },
      { reason: 'share', stream: 'telemetry', device: 'a', count: 1 },
    ]);
    expect((await store.client.stats()).streams[0]?.overShareCount).toBe(1);
  });

  it('and of which nobody knows the device is a gap without one', async () => {
    await refuse('', { reason: 'overrun' });
    await reported(1);
    expect(gaps()).toMatchObject([{ device: null, reason: 'overrun' }]);
  });
});
