import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type EventLine, readEventFiles } from '../support/event-files.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { MachineClock, WITH_MACHINE_CLOCK } from '../support/machine-clock.ts';
import { waitFor } from '../support/wait-for.ts';

const WAIT = { timeoutMs: 30_000, everyMs: 50 };
const DAY_MS = 86_400_000;
const BUDGET = 4_096;
const COUNT = 100;

interface Uplink {
  readonly state: string;
  readonly code: string | null;
  readonly reason: string | null;
  readonly retry_at: string | null;
  readonly sent_bytes_today: number | null;
  readonly totals: { readonly delivered: number; readonly pending: number };
}

describe('a file uplink with a budget for the day', { timeout: 90_000 }, () => {
  let gateway: GatewayProcess;
  let clock: MachineClock;
  /** Of the machine's clock. */
  let noon: number;

  beforeEach(async () => {
    noon = (Math.floor(Date.now() / DAY_MS) + 1.5) * DAY_MS;
    gateway = await GatewayProcess.create(WITH_MACHINE_CLOCK);
    clock = new MachineClock(gateway);
    setClock(noon);
  });
  afterEach(() => gateway.dispose());

  const setClock = (to: number): void => clock.set(to - Date.now(), 'synced');

  const start = async (options: Readonly<Record<string, unknown>> = {}): Promise<void> => {
    const uplink = { name: 'stick', type: 'file', directory: '{directory}/stick', maxBytesPerDay: '4KiB', ...options };
    gateway.configure({ uplinks: [uplink] });
    await gateway.start();
  };

  const post = async (path: string, body?: unknown): Promise<void> => {
    const response = await fetch(`http://127.0.0.1:${gateway.apiPort}${path}`, {
      method: 'POST',
      ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
    });
    expect(response.ok, path).toBe(true);
  };

  const uplink = async (): Promise<Uplink> => (await gateway.get('/v1/uplinks/stick')) as Uplink;

  const lines = (stream: string): EventLine[] =>
    readEventFiles(join(gateway.directory, 'stick'), 'test-gateway', stream);

  const isSpent = async (): Promise<boolean> => (await uplink()).code === 'daily_budget_spent';

  /** Resolves with what the uplink says when more is stored than the budget of the day lets through. */
  const spend = async (): Promise<Uplink> => {
    await post(
      '/v1/devices/a/telemetry',
      Array.from({ length: COUNT }, (_, n) => ({ n })),
    );
    await waitFor(isSpent, { ...WAIT, what: 'the budget to be spent' });
    // Figures are up to a second old.
    await waitFor(async () => ((await uplink()).sent_bytes_today ?? 0) > 3_000, { ...WAIT, what: 'the count' });
    return await uplink();
  };

  it('sends no more than it, over a restart too, and says until when it waits', async () => {
    await start();
    const before = await spend();
    expect(before).toMatchObject({ state: 'up' });
    expect(before.reason).toContain(`${BUDGET} bytes a day`);
    expect(before.retry_at).toBe(new Date(noon + DAY_MS / 2).toISOString());
    await gateway.stop('SIGKILL');
    await gateway.start();
    await waitFor(isSpent, { ...WAIT, what: 'the budget to be spent still' });
    const after = await uplink();
    expect(after.sent_bytes_today).toBeLessThanOrEqual(BUDGET);
    expect(after.totals).toMatchObject({
      delivered: before.totals.delivered,
      pending: COUNT - before.totals.delivered,
    });
    expect(lines('telemetry')).toHaveLength(before.totals.delivered);
  });

  it('goes on by itself at midnight, and sends no more than it on that day either', async () => {
    await start();
    const { totals: today } = await spend();
    // It sleeps for a minute at most, and would hear of a clock that is set only then.
    await post('/v1/uplinks/stick/pause');
    setClock(noon + DAY_MS / 2 - 2_000);
    await post('/v1/uplinks/stick/resume');
    const isTomorrow = async (): Promise<boolean> => {
      const { totals, retry_at: retryAt } = await uplink();
      return totals.delivered > today.delivered && retryAt === new Date(noon + 1.5 * DAY_MS).toISOString();
    };
    await waitFor(isTomorrow, { ...WAIT, what: 'the next day, and its budget to be spent' });
    const tomorrow = lines('telemetry').slice(today.delivered);
    // The same records again, so as many of them fit.
    expect(Math.abs(tomorrow.length - today.delivered)).toBeLessThanOrEqual(1);
    const seqs = lines('telemetry').map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
    expect((await uplink()).sent_bytes_today).toBeLessThanOrEqual(BUDGET);
  });

  it('sends events over it when they may, counts them, and nothing else', async () => {
    await start({ eventsOverBudget: true });
    const before = await spend();
    await post('/v1/devices/a/telemetry', { n: COUNT });
    await post('/v1/devices/a/events/opened', { by: 'the wind' });
    await waitFor(() => lines('events').length === 1, { ...WAIT, what: 'the event' });
    const counted = async (): Promise<boolean> =>
      ((await uplink()).sent_bytes_today ?? 0) > (before.sent_bytes_today ?? 0);
    await waitFor(counted, { ...WAIT, what: 'the count' });
    expect(await uplink()).toMatchObject({
      code: 'daily_budget_spent',
      totals: { pending: COUNT + 1 - before.totals.delivered },
    });
    expect(lines('telemetry')).toHaveLength(before.totals.delivered);
  });
});
