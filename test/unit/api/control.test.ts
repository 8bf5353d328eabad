import { beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import { fakeApi } from '../../support/fake-api.ts';

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

async function post(body: string, headers: Record<string, string> = { 'content-type': 'application/json' }) {
  const response = await api.control.request('/control/devices', { method: 'POST', body, headers });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('the control socket', () => {
  it('lists all devices', async () => {
    api.views.devices.put('pump', { provisioned: true, online: true });
    const response = await api.control.request('/control/devices');
    expect(await response.json()).toEqual({
      devices: [{ id: 'pump', provisioned: true, online: true, last_seen_at: '2026-05-01T12:00:00.000Z' }],
    });
  });

  it('gives a device a secret, made or brought along', async () => {
    expect(await post('{"id":"pump"}')).toEqual({
      status: 201,
      body: { id: 'pump', secret: 'generated-secret-of-the-fake' },
    });
    expect(await post('{"id":"valve","secret":"my own secret 123"}')).toEqual({
      status: 201,
      body: { id: 'valve', secret: 'my own secret 123' },
    });
  });

  it('passes on what the registry says', async () => {
    await post('{"id":"pump"}');
    expect(await post('{"id":"pump"}')).toMatchObject({ status: 409, body: { type: '/problems/device_exists' } });
    expect(await post('{"id":"valve","secret":"short"}')).toMatchObject({
      status: 422,
      body: { type: '/problems/weak_secret' },
    });
    api.views.registry.add = async () => {
      throw new SluiceError('this is no device id', { code: 'bad_device_id', hint: 'Use letters.' });
    };
    expect(await post('{"id":"a/b"}')).toMatchObject({
      status: 422,
      body: { type: '/problems/bad_device_id', detail: 'This is no device id. Use letters.' },
    });
  });

  it('lets a device in by the hash of its secret, and says when it is none', async () => {
    const headers = { 'content-type': 'application/json' };
    const adopt = async (hash: string) => {
      const body = JSON.stringify({ id: 'pump', secret_hash: hash });
      const response = await api.control.request('/control/hashes', { method: 'POST', body, headers });
      return [response.status, response.headers.get('content-type'), await response.text()];
    };
    const [status, type, problem = ''] = await adopt('$5$no$hash');
    expect([status, type]).toEqual([422, 'application/problem+json']);
    expect(JSON.parse(String(problem))).toMatchObject({ type: '/problems/bad_secret_hash' });
    expect(await adopt('a'.repeat(64))).toEqual([204, null, '']);
  });

  it.each(['', '{', '[]', '{}', '{"id":7}', '{"id":"pump","secret":null}'])('refuses the body %j', async (body) => {
    expect(await post(body)).toMatchObject({ status: 400, body: { type: '/problems/bad_request' } });
  });

  it.each([
    ['[]', 'The body is missing or is not JSON of the type object. /docs shows what the route takes.'],
    ['{}', '"id" is missing or is not JSON of the type string. /docs shows what the route takes.'],
  ])('says of the body %j what to do', async (body, detail) => {
    expect((await post(body)).body['detail']).toBe(detail);
  });

  it('refuses a body that is not called JSON', async () => {
    expect((await post('{"id":"pump"}', { 'content-type': 'text/plain' })).status).toBe(400);
  });

  it('removes a device, once', async () => {
    api.views.devices.put('pump');
    const remove = () => api.control.request('/control/devices/pump', { method: 'DELETE' });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
  });

  it('also answers what the API answers', async () => {
    expect((await api.control.request('/v1/gateway')).status).toBe(200);
  });

  it('is not to be found in the API', async () => {
    expect((await api.app.request('/control/devices')).status).toBe(404);
    expect((await api.app.request('/control/devices', { method: 'POST', body: '{"id":"pump"}' })).status).toBe(404);
  });
});
