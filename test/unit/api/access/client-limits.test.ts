import { describe, expect, it } from 'vitest';
import { ClientLimits, clientKey, LOCK_OUT_MS, MAX_WRONG_TOKENS } from '../../../../src/api/access/client-limits.ts';

const HERE = '192.0.2.1';

function limitsAt(ratePerS: number) {
  const clock = { now: 1_000 };
  return { clock, limits: new ClientLimits({ ratePerS, now: () => clock.now }) };
}

function lockOut(limits: ClientLimits, address = HERE): void {
  for (let count = 0; count < MAX_WRONG_TOKENS; count += 1) limits.wrongToken(address);
}

describe('the rate of a client', () => {
  it('is bounded after a burst of one second, and says when to come again', () => {
    const { clock, limits } = limitsAt(4);
    for (let count = 0; count < 4; count += 1) limits.request(HERE);
    expect(() => limits.request(HERE)).toThrow(
      expect.objectContaining({ code: 'too_many_requests', retryAfterMs: 250 }),
    );
    clock.now += 250;
    limits.request(HERE);
    expect(() => limits.request(HERE)).toThrow();
  });

  it('is no matter of other clients', () => {
    const { limits } = limitsAt(1);
    limits.request(HERE);
    limits.request('192.0.2.2');
    expect(() => limits.request(HERE)).toThrow();
  });

  it('may be unlimited', () => {
    const { limits } = limitsAt(0);
    for (let count = 0; count < 1_000; count += 1) limits.request(HERE);
  });
});

describe('a client with wrong tokens', () => {
  it('is locked out after ten within a minute, for a minute', () => {
    const { clock, limits } = limitsAt(0);
    for (let count = 1; count < MAX_WRONG_TOKENS; count += 1) expect(limits.wrongToken(HERE)).toBe(false);
    limits.admit(HERE);
    expect(limits.wrongToken(HERE)).toBe(true);
    clock.now += 1_000;
    expect(() => limits.admit(HERE)).toThrow(
      expect.objectContaining({ code: 'locked_out', retryAfterMs: LOCK_OUT_MS - 1_000 }),
    );
    limits.admit('192.0.2.2');
    clock.now += LOCK_OUT_MS - 1_000;
    limits.admit(HERE);
  });

  it('begins anew when the window is over', () => {
    const { clock, limits } = limitsAt(0);
    for (let count = 1; count < MAX_WRONG_TOKENS; count += 1) limits.wrongToken(HERE);
    clock.now += LOCK_OUT_MS;
    expect(limits.wrongToken(HERE)).toBe(false);
    limits.admit(HERE);
  });

  it('is forgotten only after 4,096 others', () => {
    const { limits } = limitsAt(0);
    lockOut(limits);
    const others = (count: number) => {
      for (let index = 0; index < count; index += 1) limits.request(`10.0.${index >> 8}.${index & 255}`);
    };
    others(4_095);
    expect(() => limits.admit(HERE)).toThrow();
    others(4_096);
    limits.admit(HERE);
  });
});

describe('a client', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
  ])('with the address %s is known as %s', (address, key) => {
    expect(clientKey(address)).toBe(key);
  });
});
