import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { routesOf } from '../../../../src/api/access/middleware.ts';
import { ROUTE_SCOPES } from '../../../../src/api/access/scopes.ts';
import { SCOPES } from '../../../../src/core/api-tokens.ts';
import { RunningApi } from '../../../support/api-server.ts';
import { ask } from '../../../support/ask.ts';

const LOOPBACK = 0;
const LAN = 1;
/** The rule makes no difference between addresses but by `anonymous`, so loopback stands for the network too. */
const running = new RunningApi({
  listeners: [
    { host: '127.0.0.1', port: 0, anonymous: true },
    { host: '127.0.0.1', port: 0, anonymous: false },
  ],
});
const ROUTES = routesOf(running.api.app);
const tokens = new Map<string, string>();
let clientCount = 0;

beforeAll(async () => {
  const written = running.writeTokens(SCOPES, ...SCOPES.map((scope) => SCOPES.filter((other) => other !== scope)));
  tokens.set('all', written[0] ?? '');
  for (const [index, scope] of SCOPES.entries()) tokens.set(`all but ${scope}`, written[index + 1] ?? '');
  await running.server.start();
});

afterAll(() => running.dispose());

/** Each from an address of its own, so that no wrong token locks another request out. */
async function outcome(route: string, listener: number, token?: string): Promise<string> {
  const [method = '', pattern = ''] = route.split(' ');
  clientCount += 1;
  const { status = 0, body } = await ask({
    port: running.port(listener),
    localAddress: `127.1.${Math.floor(clientCount / 250)}.${(clientCount % 250) + 1}`,
    method,
    path: pattern.replaceAll(/\{\w+\}/g, '1'),
    headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
  });
  if (status >= 500 && status !== 503) return `${status} ${body}`;
  return status === 401 || status === 403 || status === 429 ? `${status} ${JSON.parse(body).type}` : 'answered';
}

describe('the table of scopes', () => {
  it('has every route, and only routes', () => {
    expect(new Set(Object.keys(ROUTE_SCOPES))).toEqual(new Set(ROUTES));
  });
});

describe.each(ROUTES)('%s', (route) => {
  const scope = ROUTE_SCOPES[route] ?? 'admin';
  const open = scope === 'open';

  it('asks nobody for a token on loopback', async () => {
    expect(await outcome(route, LOOPBACK)).toBe('answered');
    expect(await outcome(route, LOOPBACK, 'wrong')).toBe('answered');
    expect(await outcome(route, LOOPBACK, tokens.get('all'))).toBe('answered');
    expect(await outcome(route, LOOPBACK, tokens.get(`all but ${scope}`))).toBe('answered');
  });

  it(open ? 'needs no token from the network' : 'needs a token from the network', async () => {
    expect(await outcome(route, LAN)).toBe(open ? 'answered' : '401 /problems/token_required');
  });

  it('takes no wrong token', async () => {
    expect(await outcome(route, LAN, 'wrong')).toBe('401 /problems/wrong_token');
    expect(await outcome(route, LAN, `${tokens.get('all')}x`)).toBe('401 /problems/wrong_token');
  });

  it('takes a right token', async () => {
    expect(await outcome(route, LAN, tokens.get('all'))).toBe('answered');
  });

  it(open ? 'needs no scope' : `takes no token without the scope ${scope}`, async () => {
    const token = tokens.get(open ? 'all but read' : `all but ${scope}`);
    expect(await outcome(route, LAN, token)).toBe(open ? 'answered' : '403 /problems/scope_missing');
  });
});
