import { beforeEach, describe, expect, it } from 'vitest';
import { fakeApi } from '../../support/fake-api.ts';
import { logStats } from '../../support/fake-views.ts';

const TELEMETRY = '/v1/devices/greenhouse-1/telemetry';
const JSON_TYPE = { 'content-type': 'application/json' };

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: { readonly [name: string]: unknown };
}

async function post(path: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = JSON_TYPE) {
  const response = await api.app.request(path, { method: 'POST', body, headers });
  const { status } = response;
  return { status, headers: response.headers, body: await response.json() } as Answer;
}

function keyed(key: string): Record<string, string> {
  return { ...JSON_TYPE, 'idempotency-key': key };
}

describe('a device that sends too much', () => {
  it.each([
    ['share', 'over_share'],
    ['rate', 'over_rate'],
  ] as const)('is told to come back later, because of its %s', async (reason, code) => {
    api.intake.postponed = { reason, waitMs: 4_200 };
    const { status, headers, body } = await post(TELEMETRY, '{"t":1}');
    expect([status, headers.get('retry-after'), body['type']]).toEqual([429, '5', `/problems/${code}`]);
    expect(api.intake.stored).toEqual([]);
  });

  it('is told to try again in a minute, however long it is over its share: the uplink may deliver before', async () => {
    api.intake.postponed = { reason: 'share', waitMs: 3_600_000 };
    expect((await post(TELEMETRY, '{"t":1}')).headers.get('retry-after')).toBe('60');
  });
});

describe('telemetry over HTTP', () => {
  it('is answered with its seq once it is stored', async () => {
    api.intake.hold();
    const answering = post(TELEMETRY, '{"temperature":21.5}');
    await expect.poll(() => api.intake.waitingCount).toBe(1);
    api.intake.letGo();
    expect(await answering).toMatchObject({
      status: 202,
      body: { device: 'greenhouse-1', first_seq: 1, last_seq: 1, count: 1 },
    });
    expect(api.intake.stored).toEqual([
      { kind: 'accepted', topic: 'devices/greenhouse-1/telemetry', payload: '{"temperature":21.5}' },
    ]);
  });

  it.each([
    ['application/json; charset=utf-8', 202],
    ['application/senml+json', 202],
    ['APPLICATION/JSON', 202],
    ['text/plain', 415],
    ['application/x-www-form-urlencoded', 415],
    ['application/octet-stream', 415],
    ['json', 415],
  ])('of the content type %s is answered %i', async (type, status) => {
    expect((await post(TELEMETRY, '{"t":1}', { 'content-type': type })).status).toBe(status);
  });

  it('of no content type is taken for JSON', async () => {
    const body = new TextEncoder().encode('{"t":1}');
    expect((await post(TELEMETRY, body, {})).status).toBe(202);
  });

  it('that is compressed is not taken', async () => {
    const { status, body } = await post(TELEMETRY, 'x', { ...JSON_TYPE, 'content-encoding': 'gzip' });
    expect([status, body['type']]).toEqual([415, '/problems/unsupported_media_type']);
    expect(body['detail']).toContain('gzip');
  });

  it('that is refused is answered 422 with the reason', async () => {
    api.intake.refusal = () => 'bad_ts';
    expect(await post(TELEMETRY, '{"ts":"x"}')).toMatchObject({
      status: 422,
      body: { type: '/problems/payload_refused', detail: expect.stringContaining('bad_ts') },
    });
  });

  it.each(['a%20b', 'a%2Fb', '%C3%BC', 'x'.repeat(129)])('of the device %s is answered 422', async (id) => {
    const { status, body } = await post(`/v1/devices/${id}/telemetry`, '{"t":1}');
    expect([status, body['type']]).toEqual([422, '/problems/bad_device_id']);
    expect(api.intake.calls).toEqual([]);
  });

  it('that is too large is answered 413', async () => {
    const { status, body } = await post(TELEMETRY, `{"t":"${'x'.repeat(300_000)}"}`);
    expect([status, body['type']]).toEqual([413, '/problems/body_too_large']);
  });
});

describe('events over HTTP', () => {
  it.each([
    ['application/json', '{"open":true}'],
    ['text/plain', 'opened'],
    ['text/plain; charset=utf-8', '{"open":true}'],
  ])('of the content type %s are stored as they came', async (type, text) => {
    expect((await post('/v1/devices/door-1/events/door', text, { 'content-type': type })).status).toBe(202);
    expect(api.intake.stored).toEqual([{ kind: 'accepted', topic: 'devices/door-1/events/door', payload: text }]);
  });

  it('may have a type of any characters that a topic takes', async () => {
    await post('/v1/devices/door-1/events/T%C3%BCr%20auf', '1');
    expect(api.intake.stored[0]?.topic).toBe('devices/door-1/events/Tür auf');
  });

  it.each(['a%2Fb', '%2B', '%23', 'a%0Ab', 'x'.repeat(129)])('of the type %s are answered 422', async (type) => {
    const { status, body } = await post(`/v1/devices/door-1/events/${type}`, '1');
    expect([status, body['type']]).toEqual([422, '/problems/bad_event_type']);
  });
});

describe('an idempotency key', () => {
  it('gives a repeated request the answer of the first, and says so', async () => {
    const first = await post(TELEMETRY, '{"t":1}', keyed('"key 1"'));
    const second = await post(TELEMETRY, '{"t":1}', keyed('"key 1"'));
    expect(second.body).toEqual(first.body);
    expect([first, second].map(({ headers }) => headers.get('idempotent-replayed'))).toEqual([null, 'true']);
    expect(api.intake.stored).toHaveLength(1);
  });

  it('lets a repeated request wait while the first is in flight', async () => {
    api.intake.hold();
    const both = [post(TELEMETRY, '{"t":1}', keyed('k')), post(TELEMETRY, '{"t":1}', keyed('k'))];
    await expect.poll(() => api.intake.waitingCount).toBe(2);
    api.intake.letGo();
    const [first, second] = await Promise.all(both);
    expect([first?.status, second?.status]).toEqual([202, 202]);
    expect(second?.body).toEqual(first?.body);
  });

  it('is the same with and without quotation marks', async () => {
    await post(TELEMETRY, '{"t":1}', keyed('abc'));
    const { headers } = await post(TELEMETRY, '{"t":1}', keyed('"abc"'));
    expect(headers.get('idempotent-replayed')).toBe('true');
  });

  it.each([
    ['another body', TELEMETRY, 'closed', 'application/json'],
    ['another route', '/v1/devices/greenhouse-1/events/window', 'open', 'text/plain'],
    ['another content type', '/v1/devices/greenhouse-1/events/door', 'open', 'application/json'],
  ])('with %s is answered 422', async (_, path, body, type) => {
    const door = '/v1/devices/greenhouse-1/events/door';
    await post(door, 'open', { ...keyed('k'), 'content-type': 'text/plain' });
    const answer = await post(path, body, { ...keyed('k'), 'content-type': type });
    expect([answer.status, answer.body['type']]).toEqual([422, '/problems/idempotency_key_reused']);
    expect(api.intake.stored).toHaveLength(1);
  });

  it.each(['', '""', '"a', 'a"b', 'a, b', '"a";p=1', 'x'.repeat(256), 'ü'])('cannot be %j', async (key) => {
    const { status, body } = await post(TELEMETRY, '{"t":1}', keyed(key));
    expect([status, body['type']]).toEqual([400, '/problems/bad_idempotency_key']);
    expect(api.intake.calls).toEqual([]);
  });
});

describe('when nothing can be stored', () => {
  it('answers 503 at once while the buffer is known to be full, and stores nothing', async () => {
    api.views.currentStats = logStats({ full: 'the disk is full' });
    const { status, headers, body } = await post(TELEMETRY, '{"t":1}');
    expect([status, headers.get('retry-after'), body['type']]).toEqual([503, '5', '/problems/buffer_full']);
    expect(body['detail']).toContain('the disk is full');
    expect(api.intake.calls).toEqual([]);
  });

  it('answers 503 after the deadline; a repeat with the same key then finds what was stored after all', async () => {
    api = fakeApi({ storeTimeoutMs: 50 });
    api.intake.hold();
    const late = await post(TELEMETRY, '{"t":1}', keyed('k'));
    expect([late.status, late.body['type']]).toEqual([503, '/problems/store_timeout']);
    expect(late.headers.get('retry-after')).toBe('5');
    api.intake.letGo();
    await expect.poll(() => api.intake.stored.length).toBe(1);
    const repeat = await post(TELEMETRY, '{"t":1}', keyed('k'));
    expect([repeat.status, repeat.headers.get('idempotent-replayed')]).toEqual([202, 'true']);
    expect(api.intake.stored).toHaveLength(1);
  });

  it('answers 503 at once when too much waits, until what waits is stored, answered or not', async () => {
    api = fakeApi({ storeTimeoutMs: 50 });
    api.intake.hold();
    const large = `{"t":"${'x'.repeat(30_000)}"}`;
    const waiting = await Promise.all([post(TELEMETRY, large), post(TELEMETRY, large)]);
    expect(waiting.map(({ status }) => status)).toEqual([503, 503]);
    expect((await post(TELEMETRY, large)).body['type']).toBe('/problems/too_busy');
    expect(api.intake.waitingCount).toBe(2);
    api.intake.letGo();
    await expect.poll(async () => (await post(TELEMETRY, large)).status).toBe(202);
  });
});
