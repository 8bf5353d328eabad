import { beforeEach, describe, expect, it } from 'vitest';
import { fakeApi } from '../../support/fake-api.ts';
import { FAKE_NOW, laneStats, linkStatus, logStats, uplinkView } from '../../support/fake-views.ts';

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

async function ask(path: string, method = 'GET') {
  const response = await api.app.request(path, { method });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('GET /health', () => {
  it('is live', async () => {
    expect(await ask('/health/live')).toEqual({ status: 200, body: { status: 'live' } });
  });

  it.each([
    ['ready', 200, 'ok'],
    ['degraded', 200, 'degraded'],
    ['failed', 503, 'failed'],
  ] as const)('is %s with %i when a part is %s', async (status, code, part) => {
    const reason = part === 'ok' ? null : 'Kafka at 10.0.0.9:9092 cannot be reached';
    api.views.currentHealth = [
      { name: 'store', status: 'ok', reason: null },
      { name: 'uplink plant', status: part, reason },
    ];
    expect(await ask('/health/ready')).toEqual({ status: code, body: { status, parts: api.views.currentHealth } });
  });

  it('is failed when one part has failed and another is degraded', async () => {
    api.views.currentHealth = [
      { name: 'uplink plant', status: 'degraded', reason: 'x' },
      { name: 'store', status: 'failed', reason: 'y' },
    ];
    expect(await ask('/health/ready')).toMatchObject({ status: 503, body: { status: 'failed' } });
  });
});

describe('GET /metrics', () => {
  it('is text for Prometheus', async () => {
    const response = await api.app.request('/metrics');
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(await response.text()).toBe('sluice_build_info 1\n');
  });
});

describe('GET /v1/gateway', () => {
  it('says who it is and why nothing may be arriving', async () => {
    api.views.devices.put('pump');
    expect(await ask('/v1/gateway')).toEqual({
      status: 200,
      body: {
        id: 'greenhouse-pi',
        epoch: 'a1b2c3',
        version: '1.2.3',
        started_at: '2026-05-01T11:59:00.000Z',
        uptime_seconds: 60,
        time: '2026-05-01T12:00:00.000Z',
        clock: 'synced',
        platform: { node: '24.0.0', arch: 'arm64', kernel: '6.12' },
        data_dir: '/var/lib/sluice',
        disk: { free_bytes: 5_000_000, keep_free_bytes: 500_000 },
        devices: 1,
        mqtt: { clients: 7 },
        messages: { refused: [{ source: 'mqtt', reason: 'not_json', count: 3 }], denied: 4, local: 5 },
      },
    });
  });
});

describe('GET /v1/buffer', () => {
  it('shows budgets, streams and drops', async () => {
    expect(await ask('/v1/buffer')).toEqual({
      status: 200,
      body: {
        used_bytes: 4_096,
        max_bytes: 1_000_000,
        capacity_bytes: 950_000,
        room_bytes: 600_000,
        free_bytes: 5_000_000,
        keep_free_bytes: 500_000,
        max_age_seconds: 2_592_000,
        oldest_pending_at: '2026-05-01T11:58:30.000Z',
        oldest_pending_seconds: 90,
        full: null,
        written_bytes: 123_456,
        salvaged: null,
        set_aside_bytes: 0,
        wear: {
          written_bytes: 90_000,
          bytes_per_record: 545,
          bytes_per_day: 4_000_000_000,
          device_bytes_per_day: 5_000_000_000,
          endurance_bytes: 32_000_000_000_000,
          card_life_days: 6_400,
        },
        refused: 3,
        rejects: 2,
        streams: [
          {
            stream: 'telemetry',
            accepted: 100,
            stored: 90,
            last_seq: 110,
            oldest_at: '2026-05-01T11:58:30.000Z',
            over_share: 4,
          },
          { stream: 'events', accepted: 10, stored: 0, last_seq: 12, oldest_at: null, over_share: 0 },
        ],
        drops: [
          { uplink: 'plant', stream: 'telemetry', reason: 'max_bytes', count: 5 },
          { uplink: 'plant', stream: 'telemetry', reason: 'max_age', count: 3 },
        ],
      },
    });
  });

  it('says why nothing can be stored', async () => {
    api.views.currentStats = logStats({ full: 'the disk is full' });
    expect((await ask('/v1/buffer')).body['full']).toBe('the disk is full');
  });

  it('shows the oldest of what any lane has before it, or that nothing is pending', async () => {
    const at = Date.parse('2026-05-01T11:00:00Z');
    api.views.currentStats = logStats({ lanes: [laneStats(), laneStats({ stream: 'events', oldestPendingAt: at })] });
    const older = { oldest_pending_at: '2026-05-01T11:00:00.000Z', oldest_pending_seconds: 3_600 };
    expect((await ask('/v1/buffer')).body).toMatchObject(older);
    api.views.currentStats = logStats({ lanes: [laneStats({ pendingCount: 0, oldestPendingAt: null })] });
    const none = { oldest_pending_at: null, oldest_pending_seconds: null };
    expect((await ask('/v1/buffer')).body).toMatchObject(none);
  });
});

describe('GET /v1/uplinks', () => {
  it('shows the link, the counts and how long it will take', async () => {
    const { status, body } = await ask('/v1/uplinks/plant');
    expect(status).toBe(200);
    expect(body).toEqual({
      name: 'plant',
      type: 'kafka',
      state: 'up',
      reason: null,
      code: null,
      since: '2026-05-01T11:00:00.000Z',
      retry_at: null,
      last_delivered_at: '2026-05-01T11:59:59.000Z',
      rate: 10,
      oldest_pending_at: '2026-05-01T11:58:30.000Z',
      lag_seconds: 90,
      arrival_rate: 0,
      seconds_to_drained: 2,
      replayed: 0,
      sent_bytes_today: null,
      max_bytes_per_second: null,
      max_bytes_per_day: null,
      totals: { accepted: 110, delivered: 80, rejected: 2, dropped: 8, pending: 20 },
      lanes: [
        {
          stream: 'telemetry',
          cursor: 70,
          accepted: 100,
          delivered: 70,
          rejected: 2,
          dropped: 8,
          pending: 20,
          dropped_by_reason: { max_bytes: 5, max_age: 3 },
          oldest_pending_at: '2026-05-01T11:58:30.000Z',
        },
        expect.objectContaining({ stream: 'events', pending: 0, oldest_pending_at: null }),
      ],
      backfills: [],
    });
    expect((await ask('/v1/uplinks')).body).toEqual({ uplinks: [body] });
  });

  it('knows no time to drained while nothing moves', async () => {
    api.views.uplinks.views = [uplinkView({ link: linkStatus({ state: 'down', rate: 0 }) })];
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ seconds_to_drained: null });
  });

  it('knows no time to drained while it waits, whatever the rate was before', async () => {
    api.views.uplinks.views = [uplinkView({ link: linkStatus({ state: 'up', rate: 10, retryAt: FAKE_NOW + 60_000 }) })];
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ seconds_to_drained: null });
  });

  it('takes what arrives into account for the time to drained', async () => {
    const secondsAt = async (arrivalRate: number, pendingCount: number) => {
      api.views.currentArrivalRate = arrivalRate;
      api.views.currentStats = logStats({ lanes: [laneStats({ pendingCount })] });
      return ((await ask('/v1/uplinks/plant')).body as { seconds_to_drained: number | null }).seconds_to_drained;
    };
    expect(await secondsAt(6, 20)).toBe(5);
    expect(await secondsAt(10, 20)).toBeNull();
    expect(await secondsAt(10, 5)).toBe(0.5);
  });

  it('shows what is sent beside the lanes, and what was sent today', async () => {
    const backfill = { id: 4, stream: 'telemetry' as const, cursor: 20, upTo: 50, at: FAKE_NOW - 60_000 };
    const day = Math.floor(FAKE_NOW / 86_400_000);
    api.views.currentStats = logStats({
      backfills: [
        { ...backfill, uplink: 'plant' },
        { ...backfill, uplink: 'stick' },
      ],
      uplinks: [{ uplink: 'plant', replayedCount: 7, sent: { day, bytes: 900 } }],
    });
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({
      backfills: [{ id: 4, stream: 'telemetry', cursor: 20, last_seq: 50, since: '2026-05-01T11:59:00.000Z' }],
      replayed: 7,
      sent_bytes_today: 900,
    });
    api.views.currentStats = logStats({
      uplinks: [{ uplink: 'plant', replayedCount: 7, sent: { day: day - 1, bytes: 900 } }],
    });
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ sent_bytes_today: 0 });
  });

  it('takes what is left of the daily budget into account for the time to drained', async () => {
    const day = Math.floor(FAKE_NOW / 86_400_000);
    const link = linkStatus({ state: 'up', rate: 10, byteRate: 1_000 });
    api.views.uplinks.views = [uplinkView({ link, maxBytesPerDay: 2_000 })];
    api.views.currentStats = logStats({
      lanes: [laneStats({ pendingCount: 25 })],
      uplinks: [{ uplink: 'plant', replayedCount: 0, sent: { day, bytes: 1_000 } }],
    });
    // It is noon: ten records today, and the others in the first one and a half seconds of tomorrow.
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ seconds_to_drained: 12 * 3_600 + 1.5 });
    api.views.uplinks.views = [uplinkView({ link, maxBytesPerDay: 2_000, eventsOverBudget: true })];
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ seconds_to_drained: 12 * 3_600 + 1.5 });
    api.views.currentStats = logStats({ lanes: [laneStats({ stream: 'events', pendingCount: 25 })] });
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ seconds_to_drained: 2.5 });
  });

  it('is drained when nothing is pending', async () => {
    api.views.currentStats = logStats({ lanes: [laneStats({ pendingCount: 0, oldestPendingAt: null })] });
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({ seconds_to_drained: 0, lag_seconds: 0 });
  });

  it('shows zeros for an uplink without lanes', async () => {
    api.views.currentStats = logStats({ lanes: [] });
    expect((await ask('/v1/uplinks/plant')).body).toMatchObject({
      totals: { accepted: 0, delivered: 0, rejected: 0, dropped: 0, pending: 0 },
      lanes: [],
      oldest_pending_at: null,
    });
  });

  it('pauses and resumes', async () => {
    expect(await ask('/v1/uplinks/plant/pause', 'POST')).toMatchObject({ status: 200, body: { state: 'paused' } });
    expect(await ask('/v1/uplinks/plant/resume', 'POST')).toMatchObject({ status: 200, body: { state: 'connecting' } });
  });

  it.each([
    ['GET', '/v1/uplinks/none'],
    ['POST', '/v1/uplinks/none/pause'],
    ['POST', '/v1/uplinks/none/resume'],
  ])('answers %s %s with a problem', async (method, path) => {
    expect(await ask(path, method)).toMatchObject({ status: 404, body: { type: '/problems/uplink_not_found' } });
  });
});
