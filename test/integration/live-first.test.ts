import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readEventFiles } from '../support/event-files.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

const WAIT = { timeoutMs: 30_000, everyMs: 50 };
const DAY_MS = 86_400_000;

interface Uplink {
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
  readonly retry_at: string | null;
  readonly sent_bytes_today: number | null;
  readonly replayed: number;
  readonly totals: { readonly delivered: number; readonly pending: number };
}

interface Replay {
  readonly id: number;
  readonly state: string;
  readonly delivered: number;
}

describe('a gateway with a file uplink', { timeout: 90_000 }, () => {
  let gateway: GatewayProcess;

  afterEach(() => gateway.dispose());

  const make = async (options: Readonly<Record<string, unknown>>): Promise<void> => {
    const uplink = { name: 'stick', type: 'file', directory: '{directory}/stick', ...options };
    gateway = await GatewayProcess.create({ config: { uplinks: [uplink] } });
    await gateway.start();
  };

  const post = async (path: string, body?: unknown): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${gateway.apiPort}${path}`, {
      method: 'POST',
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    expect(response.ok, path).toBe(true);
    return response;
  };

  const store = (device: string, count: number): Promise<Response> =>
    post(
      `/v1/devices/${device}/telemetry`,
      Array.from({ length: count }, (_, n) => ({ n })),
    );

  const uplink = async (): Promise<Uplink> => (await gateway.get('/v1/uplinks/stick')) as Uplink;
  const delivered = (count: number) =>
    waitFor(async () => (await uplink()).totals.delivered === count, { ...WAIT, what: `${count} delivered` });

  /** Seqs by the part of the stream that they were sent in. */
  const sent = (): Partial<Record<string, readonly number[]>> => {
    const lines = readEventFiles(join(gateway.directory, 'stick'), 'test-gateway', 'telemetry');
    const parts = Map.groupBy(lines, ({ event }) => String(event['lane'] ?? 'lane'));
    return Object.fromEntries([...parts].map(([part, its]) => [part, its.map(({ seq }) => seq)]));
  };

  it('sends a backlog beside the lane after a kill, and a replay that was asked for before it', async () => {
    await make({ order: 'live_first', batch: { maxRecords: 10 } });
    await store('a', 30);
    await store('b', 20);
    await delivered(50);
    await post('/v1/uplinks/stick/pause');
    await post('/v1/replays', { uplink: 'stick', stream: 'telemetry', device: 'b' });
    await store('a', 100);
    await gateway.stop('SIGKILL');
    expect(countStore(gateway.dataDir).problems).toEqual([]);
    await gateway.start();
    await post('/v1/uplinks/stick/resume');
    await delivered(150);
    const replay = async (): Promise<Replay | undefined> =>
      ((await gateway.get('/v1/replays')) as { replays: Replay[] }).replays[0];
    await waitFor(async () => (await replay())?.state === 'done', { ...WAIT, what: 'the replay' });
    expect(await replay()).toMatchObject({ delivered: 20 });
    await waitFor(async () => (await uplink()).replayed === 20, { ...WAIT, what: 'the count of replays' });
    const { lane = [], backfill = [], replay: again = [] } = sent();
    const once = [...lane, ...backfill];
    expect(new Set(once).size).toBe(150);
    expect(once).toHaveLength(150);
    expect(backfill.length).toBeGreaterThan(0);
    for (const part of [lane, backfill, again]) expect(part).toEqual(part.toSorted((x, y) => x - y));
    expect(again).toEqual(lane.slice(30, 50));
    await gateway.stop('SIGTERM');
    expect(countStore(gateway.dataDir, { deep: true }).problems).toEqual([]);
  });

  it('sends no more than the budget of the day, over a restart too, and says until when it waits', async () => {
    await make({ maxBytesPerDay: '4KiB', batch: { maxRecords: 5 } });
    await store('a', 100);
    const isSpent = async (): Promise<boolean> => (await uplink()).code === 'daily_budget_spent';
    await waitFor(isSpent, { ...WAIT, what: 'the budget to be spent' });
    // Figures are up to a second old.
    await waitFor(async () => ((await uplink()).sent_bytes_today ?? 0) > 3_000, { ...WAIT, what: 'the count' });
    const before = await uplink();
    expect(before).toMatchObject({ state: 'up' });
    expect(before.reason).toContain('4096 bytes a day');
    expect(Date.parse(before.retry_at ?? '') % DAY_MS).toBe(0);
    await gateway.stop('SIGKILL');
    await gateway.start();
    await waitFor(isSpent, { ...WAIT, what: 'the budget to be spent still' });
    const after = await uplink();
    expect(after.sent_bytes_today).toBeLessThanOrEqual(4_096);
    expect(after.totals).toMatchObject({ delivered: before.totals.delivered, pending: 100 - before.totals.delivered });
    expect(sent()['lane']).toHaveLength(before.totals.delivered);
  });
});
