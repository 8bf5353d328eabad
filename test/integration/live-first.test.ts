import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readEventFiles } from '../support/event-files.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

const WAIT = { timeoutMs: 30_000, everyMs: 50 };

interface Uplink {
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

  const configOf = (options: Readonly<Record<string, unknown>>) => ({
    uplinks: [{ name: 'stick', type: 'file', directory: '{directory}/stick', ...options }],
  });
  const make = async (options: Readonly<Record<string, unknown>>): Promise<void> => {
    gateway = await GatewayProcess.create({ config: configOf(options) });
    await gateway.start();
  };

  const ask = async (method: string, path: string, body?: unknown): Promise<Response> => {
    const response = await fetch(`http://127.0.0.1:${gateway.apiPort}${path}`, {
      method,
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    expect(response.ok, path).toBe(true);
    return response;
  };
  const post = (path: string, body?: unknown): Promise<Response> => ask('POST', path, body);

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

  const replays = async (): Promise<readonly Replay[]> =>
    ((await gateway.get('/v1/replays')) as { replays: Replay[] }).replays;
  const replayed = (id: number) =>
    waitFor(async () => (await replays()).find((replay) => replay.id === id)?.state === 'done', {
      ...WAIT,
      what: `replay ${id}`,
    });

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
    await replayed((await replays())[0]?.id ?? 0);
    expect((await replays())[0]).toMatchObject({ delivered: 20 });
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

  it('sends no more of a replay that was cancelled, over a kill too', async () => {
    const slow = { batch: { maxRecords: 2 }, maxBytesPerSecond: '2KiB' };
    await make({});
    await store('a', 100);
    await delivered(100);
    await gateway.stop('SIGTERM');
    gateway.configure(configOf(slow));
    await gateway.start();
    const whole = (await (await post('/v1/replays', { uplink: 'stick', stream: 'telemetry' })).json()) as Replay;
    await waitFor(async () => ((await replays())[0]?.delivered ?? 0) > 0, { ...WAIT, what: 'some of the replay' });
    await ask('DELETE', `/v1/replays/${whole.id}`);
    await gateway.stop('SIGKILL');
    const before = sent()['replay'] ?? [];
    expect(before.length).toBeLessThan(100);
    gateway.configure(configOf({}));
    await gateway.start();
    expect(await replays()).toEqual([]);
    // Behind the first one, were it still there.
    const { lane = [] } = sent();
    const asked = { uplink: 'stick', stream: 'telemetry', first_seq: lane[0], last_seq: lane[9] };
    const other = (await (await post('/v1/replays', asked)).json()) as Replay;
    await replayed(other.id);
    const { replay: again = [] } = sent();
    expect(again.slice(before.length)).toEqual(lane.slice(0, 10));
    expect(again.slice(0, before.length)).toEqual(lane.slice(0, before.length));
  });
});
