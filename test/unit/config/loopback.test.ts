import { describe, expect, it } from 'vitest';
import { isLoopback } from '../../../src/config/loopback.ts';

describe('loopback', () => {
  it.each(['127.0.0.1', '127.8.9.10', '::1', '0:0:0:0:0:0:0:1', '::ffff:127.0.0.1', 'localhost', 'LocalHost'])(
    'is %s',
    (host) => {
      expect(isLoopback(host)).toBe(true);
    },
  );

  it.each(['0.0.0.0', '::', '192.168.1.5', '::ffff:10.0.0.1', 'fe80::1', 'gateway.local', 'localhost.example.net', ''])(
    'is not %s',
    (host) => {
      expect(isLoopback(host)).toBe(false);
    },
  );
});
