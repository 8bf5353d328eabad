import { beforeEach, describe, expect, it } from 'vitest';
import { fakeApi } from '../../support/fake-api.ts';
import { FAKE_NOW } from '../../support/fake-views.ts';

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

async function get(path: string) {
  const response = await api.app.request(path);
  return { status: response.status, body: (await response.json()) as Record<string, never> };
}

describe('GET /v1/devices', () => {
  it('is an empty list at first', async () => {
    expect(await get('/v1/devices')).toEqual({ status: 200, body: { devices: [], next_cursor: null } });
  });

  it('shows who is there, who is known and who is late', async () => {
    api.views.devices.put('pump', { online: true, provisioned: true, lastSeenAt: FAKE_NOW - 1_500 });
    api.views.devices.put('valve', { lastSeenAt: FAKE_NOW - 601_000 });
    api.views.devices.put('weir', { firstSeenAt: null, lastSeenAt: null });
    expect((await get('/v1/devices')).body).toEqual({
      devices: [
        {
          id: 'pump',
          online: true,
          provisioned: true,
          first_seen_at: '2026-05-01T12:00:00.000Z',
          last_seen_at: '2026-05-01T11:59:58.500Z',
          age_seconds: 1.5,
          stale: false,
          metrics: 0,
        },
        expect.objectContaining({ id: 'valve', age_seconds: 601, stale: true }),
        expect.objectContaining({ id: 'weir', last_seen_at: null, age_seconds: null, stale: true }),
      ],
      next_cursor: null,
    });
  });

  it('gives every device once, page by page', async () => {
    const ids = Array.from({ length: 25 }, (_, index) => `device-${String(index).padStart(2, '0')}`);
    for (const id of ids) api.views.devices.put(id);
    const seen: string[] = [];
    let cursor: string | null = '';
    let pageCount = 0;
    while (cursor !== null) {
      const query: string = cursor === '' ? 'limit=10' : `limit=10&cursor=${cursor}`;
      const { body }: { body: { devices?: { id: string }[]; next_cursor?: string | null } } = await get(
        `/v1/devices?${query}`,
      );
      seen.push(...(body.devices ?? []).map((device) => device.id));
      cursor = body.next_cursor ?? null;
      pageCount += 1;
    }
    expect(seen).toEqual(ids);
    expect(pageCount).toBe(3);
  });

  it.each(['0', '-1', '1001', 'many', '1.5', ''])('refuses the limit %j and says what to use', async (limit) => {
    expect(await get(`/v1/devices?limit=${limit}`)).toEqual({
      status: 400,
      body: {
        type: '/problems/bad_limit',
        title: 'Bad limit',
        status: 400,
        detail: '"limit" is not a number the list can be cut at. Use a whole number from 1 to 1000.',
      },
    });
  });

  it.each(['%00', 'cHVtcA==', 'Li4vLi4v', 'x', '🙂'])('refuses the cursor %j', async (cursor) => {
    const { status, body } = await get(`/v1/devices?cursor=${cursor}`);
    expect([status, body['type']]).toEqual([400, '/problems/bad_cursor']);
  });
});

describe('GET /v1/devices/{id}', () => {
  it('shows one device', async () => {
    api.views.devices.put('Kueche_Lampe');
    expect(await get('/v1/devices/Kueche_Lampe')).toMatchObject({ status: 200, body: { id: 'Kueche_Lampe' } });
  });

  it.each(['/v1/devices/none', '/v1/devices/none/telemetry/latest', '/v1/devices/__proto__', '/v1/devices/%2e%2e%2f'])(
    'says at %s that there is no such device, and where to look',
    async (path) => {
      expect(await get(path)).toMatchObject({
        status: 404,
        body: { type: '/problems/device_not_found', detail: expect.stringContaining('GET /v1/devices') },
      });
    },
  );
});

describe('GET /v1/devices/{id}/telemetry/latest', () => {
  it('shows each metric with its time, age and whether it is stale', async () => {
    const receivedAt = FAKE_NOW - 1_000;
    api.views.devices.put('pump', {}, [
      { metric: 'temperature', value: 21.5, seq: 7, receivedAt, observedAt: null },
      { metric: 'level', value: null, seq: 5, receivedAt, observedAt: FAKE_NOW - 3_600_000 },
      { metric: '__proto__', value: 'x', seq: 6, receivedAt, observedAt: FAKE_NOW + 3_600_000 },
    ]);
    const response = await api.app.request('/v1/devices/pump/telemetry/latest');
    const text = await response.text();
    expect(text).toContain('"__proto__":{"value":"x","time":"2026-05-01T11:59:59.000Z","age_seconds":1,"stale":false');
    expect(JSON.parse(text)).toMatchObject({
      device: 'pump',
      metrics: {
        temperature: {
          value: 21.5,
          time: '2026-05-01T11:59:59.000Z',
          age_seconds: 1,
          stale: false,
          observed_at: null,
          received_at: '2026-05-01T11:59:59.000Z',
          seq: 7,
        },
        level: { value: null, time: '2026-05-01T11:00:00.000Z', age_seconds: 3_600, stale: true },
      },
    });
  });

  it('answers although a device claims an impossible time', async () => {
    const times = [1e300, -1e300, Number.NaN];
    const latest = times.map((observedAt, seq) => ({
      metric: `m${seq}`,
      value: 1,
      seq,
      receivedAt: FAKE_NOW,
      observedAt,
    }));
    api.views.devices.put('pump', {}, latest);
    expect((await get('/v1/devices/pump/telemetry/latest')).status).toBe(200);
  });
});
