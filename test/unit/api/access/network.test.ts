import type { OutgoingHttpHeaders } from 'node:http';
import { hostname } from 'node:os';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_WRONG_TOKENS } from '../../../../src/api/access/client-limits.ts';
import type { ApiServerOptions } from '../../../../src/api/server.ts';
import { RunningApi } from '../../../support/api-server.ts';
import { type Answer, ask } from '../../../support/ask.ts';

const PANEL = 'https://panel.example.net';
const GATEWAY = '/v1/gateway';
let running: RunningApi;
let token: string;

beforeEach(() => start());
afterEach(() => running.dispose());

async function start(options: Partial<ApiServerOptions> = {}): Promise<void> {
  running = new RunningApi({ listeners: [{ host: '127.0.0.1', port: 0, anonymous: false }], ...options });
  token = running.writeTokens(['read', 'write'])[0] ?? '';
  await running.server.start();
}

async function restart(options: Partial<ApiServerOptions>): Promise<void> {
  await running.dispose();
  await start(options);
}

function get(path: string, headers: OutgoingHttpHeaders = {}, method = 'GET'): Promise<Answer> {
  return ask({ port: running.port(), path, method, headers: { authorization: `Bearer ${token}`, ...headers } });
}

function typeOf({ body }: Answer): string {
  return JSON.parse(body).type;
}

describe('a token', () => {
  it.each(['Bearer', 'bearer', 'BEARER '])('is sent as %s', async (scheme) => {
    expect((await get(GATEWAY, { authorization: `${scheme} ${token}` })).status).toBe(200);
  });

  it.each(['Basic eDp5', 'Bearer', 'Bearer a b', `Bearer ${'x'.repeat(600)}`])('is not %s', async (authorization) => {
    const answer = await get(GATEWAY, { authorization });
    expect([answer.status, typeOf(answer)]).toEqual([401, '/problems/wrong_token']);
  });

  it.each([
    ['HEAD', GATEWAY],
    ['GET', '/v1/%67ateway'],
    ['GET', `${GATEWAY}?authorization=Bearer`],
  ])('is asked for by %s %s too', async (method, path) => {
    expect((await get(path, { authorization: undefined }, method)).status).toBe(401);
  });

  it('is asked for as RFC 6750 says', async () => {
    const challenge = async (headers: OutgoingHttpHeaders, path = GATEWAY, method = 'GET') =>
      (await get(path, headers, method)).headers['www-authenticate'];
    expect(await challenge({ authorization: undefined })).toBe('Bearer');
    expect(await challenge({ authorization: 'Bearer wrong' })).toBe('Bearer error="invalid_token"');
    const [readOnly] = running.writeTokens(['read'], ['write']);
    await running.server.stop();
    await running.server.start();
    const pause = '/v1/uplinks/plant/pause';
    expect(await challenge({ authorization: `Bearer ${readOnly}` }, pause, 'POST')).toBe(
      'Bearer error="insufficient_scope"',
    );
  });

  it('is not asked for by /health/ready, which shows its parts only to those who may read', async () => {
    const open = await get('/health/ready', { authorization: undefined });
    expect(JSON.parse(open.body)).toEqual({ status: 'ready', parts: [] });
    expect(JSON.parse((await get('/health/ready')).body).parts).toHaveLength(1);
  });
});

describe('a client that sends wrong tokens', () => {
  const wrong = { authorization: 'Bearer wrong' };

  it('is locked out, told until when, and logged once', async () => {
    for (let count = 0; count < MAX_WRONG_TOKENS; count += 1) expect((await get(GATEWAY, wrong)).status).toBe(401);
    const answer = await get(GATEWAY, wrong);
    expect([answer.status, typeOf(answer)]).toEqual([429, '/problems/locked_out']);
    expect(Number(answer.headers['retry-after'])).toBeGreaterThan(50);
    expect((await get('/health/live', { authorization: undefined })).status).toBe(200);
    expect(running.api.logger.lines.filter(({ level }) => level === 'warn')).toEqual([
      { level: 'warn', fields: { client: '127.0.0.1' }, message: expect.stringContaining('locked out') },
    ]);
  });

  it('locks nobody out who has a right one, though a proxy gives all of them one address', async () => {
    for (let count = 0; count <= MAX_WRONG_TOKENS; count += 1) await get(GATEWAY, wrong);
    expect((await get(GATEWAY)).status).toBe(200);
    expect((await get(GATEWAY, wrong)).status).toBe(429);
  });

  it('locks nobody else out', async () => {
    for (let count = 0; count < MAX_WRONG_TOKENS; count += 1) await get(GATEWAY, wrong);
    const headers = { authorization: `Bearer ${token}` };
    const { status } = await ask({ port: running.port(), path: GATEWAY, headers, localAddress: '127.0.0.2' });
    expect(status).toBe(200);
  });
});

describe('a client that asks too often', () => {
  it('is told when to come again', async () => {
    await restart({ maxRequestRate: 2 });
    await get(GATEWAY);
    await get(GATEWAY);
    const answer = await get(GATEWAY);
    expect([answer.status, typeOf(answer), answer.headers['retry-after']]).toEqual([
      429,
      '/problems/too_many_requests',
      '1',
    ]);
  });
});

describe('clients behind a proxy', () => {
  it('do not use up the rate of who has a token', async () => {
    await restart({ maxRequestRate: 2 });
    for (let count = 0; count < 4; count += 1) await get(GATEWAY, { authorization: 'Bearer wrong' });
    expect((await get(GATEWAY, { authorization: undefined })).status).toBe(429);
    expect((await get(GATEWAY)).status).toBe(200);
  });
});

describe('the host name', () => {
  it('may be that of the machine, or one of the configuration with any port', async () => {
    await restart({ allowedHosts: ['Gateway.example.net'] });
    const own = `${hostname()}:${running.port()}`;
    for (const host of [own, `${hostname()}.local`, 'gateway.example.net', 'gateway.example.net:8443'])
      expect((await get(GATEWAY, { host })).status).toBe(200);
  });

  it('may be no other one', async () => {
    const answer = await get(GATEWAY, { host: 'evil.example' });
    expect([answer.status, typeOf(answer)]).toEqual([403, '/problems/host_not_allowed']);
  });
});

describe('pages of other origins', () => {
  const preflight = { origin: PANEL, 'access-control-request-method': 'POST', authorization: undefined };

  it('may neither read nor change anything unless they are configured', async () => {
    expect((await get(GATEWAY, { origin: PANEL })).headers['access-control-allow-origin']).toBeUndefined();
    expect((await get('/v1/uplinks/plant/pause', { origin: PANEL }, 'POST')).status).toBe(403);
    expect((await get(GATEWAY, preflight, 'OPTIONS')).headers['access-control-allow-origin']).toBeUndefined();
  });

  it('may use the API when they are configured, and read why it does not answer', async () => {
    await restart({ corsOrigins: [PANEL] });
    const allowed = async (answer: Promise<Answer>) => (await answer).headers['access-control-allow-origin'];
    const asked = await get(
      '/v1/uplinks/plant/pause',
      { ...preflight, 'access-control-request-headers': 'authorization' },
      'OPTIONS',
    );
    expect([asked.status, asked.headers['access-control-allow-headers']]).toEqual([204, 'authorization']);
    expect(await allowed(get('/v1/uplinks/plant/pause', { origin: PANEL }, 'POST'))).toBe(PANEL);
    expect(await allowed(get(GATEWAY, { origin: PANEL, authorization: undefined }))).toBe(PANEL);
    expect(await allowed(get(GATEWAY, { origin: 'https://evil.example' }))).toBeUndefined();
  });
});

describe('a start', () => {
  it('without tokens is refused before anything listens', async () => {
    const server = running.another({
      listeners: [{ host: '127.0.0.1', port: 0, anonymous: false }],
      tokensFile: `${running.tokensFile}-missing`,
    });
    await expect(server.start()).rejects.toMatchObject({ code: 'tokens_file_unusable' });
    expect(server.addresses()).toEqual([]);
    await server.stop();
  });
});
