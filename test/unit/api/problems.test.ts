import { beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import { fakeApi } from '../../support/fake-api.ts';

let api: ReturnType<typeof fakeApi>;

beforeEach(() => {
  api = fakeApi();
});

describe('a problem', () => {
  it('has its media type, type, title, status and a detail that says what to do', async () => {
    const response = await api.app.request('/v1/nothing');
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toEqual({
      type: '/problems/not_found',
      title: 'Not found',
      status: 404,
      detail: 'There is nothing at this path. GET /openapi.json lists what there is.',
    });
  });

  it('names the methods that a path answers to', async () => {
    const response = await api.app.request('/v1/devices/pump', { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, HEAD');
    expect(await response.json()).toMatchObject({ type: '/problems/method_not_allowed' });
    const post = await api.app.request('/v1/uplinks/plant/pause');
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('shows nothing of an unexpected error, which the log does', async () => {
    api.views.stats = () => {
      throw new TypeError('secret internals');
    };
    const response = await api.app.request('/v1/buffer');
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(JSON.parse(text)).toMatchObject({ type: '/problems/internal_error', status: 500 });
    expect(text).not.toContain('internals');
    expect(api.logger.lines).toMatchObject([{ level: 'error', fields: { error: { message: 'secret internals' } } }]);
  });

  it('is 503 when the gateway may manage later', async () => {
    api.views.uplinks.pause = () => {
      throw new SluiceError('SQLITE_BUSY at /var/lib', { code: 'store_busy', retryable: true });
    };
    const response = await api.app.request('/v1/uplinks/plant/pause', { method: 'POST' });
    expect(response.status).toBe(503);
    expect(await response.text()).not.toContain('SQLITE');
  });

  it.each(['POST', 'PROPFIND'])('meets a body that is too large, with %s', async (method) => {
    const response = await api.control.request('/control/devices', { method, body: 'x'.repeat(70_000) });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ type: '/problems/body_too_large' });
  });
});

describe('every answer', () => {
  it('allows no other origin to read it', async () => {
    const { headers } = await api.app.request('/v1/gateway', { headers: { origin: 'http://evil.example' } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  it('is counted by the pattern of its route', async () => {
    await api.app.request('/v1/devices/pump');
    await api.app.request('/v1/devices/pump', { method: 'DELETE' });
    await api.app.request('/v1/uplinks/plant/pause', { method: 'POST' });
    for (let index = 0; index < 3; index += 1) await api.app.request(`/random/${index}`);
    const none = { route: 'none', method: 'GET', status: 404 };
    expect(api.metrics.observed).toEqual([
      { route: '/v1/devices/{id}', method: 'GET', status: 404 },
      { route: '/v1/devices/{id}', method: 'DELETE', status: 405 },
      { route: '/v1/uplinks/{name}/pause', method: 'POST', status: 200 },
      none,
      none,
      none,
    ]);
  });
});
