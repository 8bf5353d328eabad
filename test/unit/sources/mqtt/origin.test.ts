import { hostname } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isAllowedOrigin } from '../../../../src/sources/mqtt/origin.ts';

const OPEN = { allowedOrigins: ['https://panel.example'], anonymous: true, tls: false };
const CLOSED = { ...OPEN, anonymous: false };

describe('an origin', () => {
  it('is not given by clients that are no browsers', () => {
    expect(isAllowedOrigin({ origin: undefined, host: 'any.example' }, OPEN)).toBe(true);
    expect(isAllowedOrigin({ origin: undefined, host: undefined }, OPEN)).toBe(true);
  });

  it.each([
    ['http://127.0.0.1:9001', '127.0.0.1:9001'],
    ['https://127.0.0.1:9001', '127.0.0.1:9001'],
    ['http://[::1]:9001', '[::1]:9001'],
    ['http://LOCALHOST:9001', 'localhost:9001'],
    ['http://192.168.1.20', '192.168.1.20'],
    ['http://192.168.1.20', '192.168.1.20:80'],
    [`http://${hostname()}:9001`, `${hostname()}:9001`],
    [`http://${hostname()}.local:9001`, `${hostname()}.local:9001`],
    ['https://panel.example', 'gateway.example:9001'],
    ['https://panel.example:443', '127.0.0.1:9001'],
  ])('may connect without a login: %s to %s', (origin, host) => {
    expect(isAllowedOrigin({ origin, host }, OPEN)).toBe(true);
  });

  it.each([
    ['http://evil.example', '127.0.0.1:9001'],
    ['http://127.0.0.1', '127.0.0.1:9001'],
    ['http://127.0.0.1:8080', '127.0.0.1:9001'],
    ['http://localhost:9001', '127.0.0.1:9001'],
    ['http://127.0.0.1.evil.example:9001', '127.0.0.1:9001'],
    ['http://panel.example', '127.0.0.1:9001'],
    ['https://panel.example:8443', '127.0.0.1:9001'],
    ['https://panel.example.evil.example', '127.0.0.1:9001'],
    ['null', '127.0.0.1:9001'],
    ['', '127.0.0.1:9001'],
    ['file://', '127.0.0.1:9001'],
    ['http://127.0.0.1:9001', undefined],
    ['http://127.0.0.1:9001', ''],
    ['http://user@127.0.0.1:9001/', 'evil.example:9001'],
  ])('may not connect: %j to %j', (origin, host) => {
    expect(isAllowedOrigin({ origin, host }, OPEN)).toBe(false);
    expect(isAllowedOrigin({ origin, host }, CLOSED)).toBe(false);
  });

  it('by a name that others can make lead here may connect only where it must log in', () => {
    const rebound = { origin: 'http://evil.example:9001', host: 'evil.example:9001' };
    expect(isAllowedOrigin(rebound, OPEN)).toBe(false);
    expect(isAllowedOrigin(rebound, CLOSED)).toBe(true);
  });

  it('of the usual port of TLS is that of a host without a port', () => {
    const asked = { origin: 'https://192.168.1.20', host: '192.168.1.20' };
    expect(isAllowedOrigin(asked, { ...OPEN, tls: true })).toBe(true);
    expect(isAllowedOrigin(asked, OPEN)).toBe(false);
  });
});
