import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { ConnectPacket } from '../../../../src/sources/mqtt/aedes-broker.ts';
import { Login } from '../../../../src/sources/mqtt/login.ts';
import { FakeAccess } from '../../../support/mqtt-harness.ts';

const SECRET = 'a long enough secret';

function setUp() {
  const access = new FakeAccess();
  access.secrets.set('meter', SECRET);
  const login = new Login(access, 1_000);
  const judge = async (changes: Partial<ConnectPacket>, anonymous = true, certified: string | null = null) => {
    const packet: ConnectPacket = { cmd: 'connect', clientId: 'c', protocolVersion: 4, clean: true, ...changes };
    const verdict = await login.judge(packet, { anonymous, certified });
    return verdict.kind === 'refused' ? verdict.code : verdict;
  };
  return { access, judge };
}

function named(username: string, password?: string): Partial<ConnectPacket> {
  return password === undefined ? { username } : { username, password: Buffer.from(password) };
}

describe('a CONNECT', () => {
  it('without a name is let in where the listener allows it, else not authorised', async () => {
    const { judge } = setUp();
    expect(await judge({}, true)).toEqual({ kind: 'admitted', clientId: 'c', identity: null });
    expect(await judge({}, false)).toBe(5);
  });

  it.each([true, false])('with a name is judged by its secret (anonymous allowed: %s)', async (anonymous) => {
    const { judge } = setUp();
    expect(await judge(named('meter', SECRET), anonymous)).toMatchObject({ kind: 'admitted', identity: 'meter' });
    expect(await judge(named('meter', 'wrong'), anonymous)).toBe(4);
    expect(await judge(named('meter'), anonymous)).toBe(4);
    expect(await judge(named('meter', ''), anonymous)).toBe(4);
    expect(await judge(named('nobody', SECRET), anonymous)).toBe(4);
    expect(await judge(named('', SECRET), anonymous)).toBe(4);
    expect(await judge(named('met/er', SECRET), anonymous)).toBe(4);
    expect(await judge({ password: Buffer.from(SECRET) }, anonymous)).toBe(4);
  });

  it('gets a client id of its own when it has none and wants a clean session, and claims nothing', async () => {
    const { access, judge } = setUp();
    const first = (await judge({ clientId: '' })) as { clientId: string };
    const second = (await judge({ clientId: '' })) as { clientId: string };
    expect(first.clientId).not.toBe(second.clientId);
    expect(access.claims.size).toBe(0);
  });

  it.each<[string, Partial<ConnectPacket>]>([
    ['no client id and a session to keep', { clientId: '', clean: false }],
    ['no client id in MQTT 3.1', { clientId: '', protocolVersion: 3 }],
    ['more than 23 characters in MQTT 3.1', { clientId: 'x'.repeat(24), protocolVersion: 3 }],
    ['more than 256 characters', { clientId: 'x'.repeat(257) }],
    ['control characters', { clientId: 'a\nb' }],
  ])('with %s has its identifier rejected', async (_, changes) => {
    expect(await setUp().judge(changes)).toBe(2);
  });

  it.each([
    [4, 256],
    [3, 23],
  ] as const)('of level %i may have a client id of %i characters', async (protocolVersion, length) => {
    const verdict = await setUp().judge({ clientId: 'x'.repeat(length), protocolVersion });
    expect(verdict).toMatchObject({ kind: 'admitted' });
  });

  it('does not get the client id of another identity', async () => {
    const { judge } = setUp();
    await judge({ clientId: 'panel' });
    expect(await judge({ clientId: 'panel', ...named('meter', SECRET) })).toBe(2);
    expect(await judge({ clientId: 'meter-1', ...named('meter', SECRET) })).toMatchObject({ identity: 'meter' });
    expect(await judge({ clientId: 'meter-1' })).toBe(2);
    expect(await judge({ clientId: 'meter-1', ...named('meter', SECRET) })).toMatchObject({ identity: 'meter' });
  });

  it('with a certificate is the device that it names, whatever the listener, with its name or without', async () => {
    const { access, judge } = setUp();
    for (const anonymous of [true, false]) {
      const device = { kind: 'admitted', clientId: 'c', identity: 'pump' };
      expect(await judge({}, anonymous, 'pump')).toEqual(device);
      expect(await judge(named('pump', 'any'), anonymous, 'pump')).toEqual(device);
    }
    expect(access.claims).toEqual(new Map([['c', 'pump']]));
  });

  it('with a certificate and the name of another device is refused, even with the right password', async () => {
    const { judge } = setUp();
    expect(await judge(named('meter', SECRET), false, 'pump')).toBe(4);
    expect(await judge(named('meter'), true, 'pump')).toBe(4);
  });

  it('claims no client id with a wrong password', async () => {
    const { access, judge } = setUp();
    await judge(named('meter', 'wrong'));
    expect(access.claims.size).toBe(0);
  });

  it('is told to come back when the claim cannot be stored, or not in time', async () => {
    const failing = { authenticate: async () => true, claimClientId: () => Promise.reject(new Error('disk full')) };
    const silent = { authenticate: async () => true, claimClientId: () => new Promise<boolean>(() => undefined) };
    const packet: ConnectPacket = { cmd: 'connect', clientId: 'c', protocolVersion: 4, clean: true };
    expect(await new Login(failing, 1_000).judge(packet, { anonymous: true, certified: null })).toMatchObject({
      kind: 'refused',
      code: 3,
    });
    expect(await new Login(silent, 5).judge(packet, { anonymous: true, certified: null })).toMatchObject({
      kind: 'refused',
      code: 3,
    });
  });

  it('is told to come back when too many logins are being checked', async () => {
    const busy = { authenticate: () => Promise.reject(new Error('busy')), claimClientId: async () => true };
    const packet: ConnectPacket = { cmd: 'connect', clientId: 'c', protocolVersion: 4, clean: true };
    const verdict = await new Login(busy, 1_000).judge(
      { ...packet, username: 'meter', password: Buffer.from('x') },
      { anonymous: false, certified: null },
    );
    expect(verdict).toMatchObject({ kind: 'refused', code: 3 });
  });

  it.each(['', 'a/#', '+', 'a\0b'])('with the will topic %j breaks the protocol', async (topic) => {
    const will = { topic, payload: Buffer.from('gone'), qos: 0 as const, retain: false };
    expect(await setUp().judge({ will })).toMatchObject({ kind: 'violation' });
  });

  it('with a will of QoS 3 breaks the protocol', async () => {
    const will = { topic: 'a', payload: Buffer.from('gone'), qos: 3 as 0, retain: false };
    expect(await setUp().judge({ will })).toMatchObject({ kind: 'violation' });
  });
});
