import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SluiceError } from '../../../src/core/errors.ts';
import { SecretChecks } from '../../../src/devices/secret-checks.ts';

/** As mosquitto_passwd 2.0 wrote them. */
const METER =
  '$7$101$HFE7erR1//502NYe$CVQxzXx63DHqWvLqtROJPpAMT/0RASTuMEV/W5X9/hW3BsU465inxtsVQ/ET5QCYFL5N+rNOn/F4nsToxrNZgg==';
const PUMP =
  '$7$101$WsNd5w84+xFDkbBT$jVSibT5gsXI2UQEb/k6RbXu/2k+pQ9kgfrpNmfbUu1b9cUlbCjNaZ435g87PeEJAGWK01/h/XOuznnry6VAZDA==';
const LEGACY =
  '$6$nd7V17arm4UbuXlN$zCLrOWPkNNRq2Td5ljDu48C+hAxIkzr3HURTRwdUfVbl6aCbxeEYj2kg0cQa3ycdqQ0PRb+xc2Es9zdgYYYOVg==';

const pbkdf2 = (secret: string, iterations: number): string => {
  const salt = randomBytes(12);
  const hash = pbkdf2Sync(secret, salt, iterations, 64, 'sha512');
  return `$7$${iterations}$${salt.toString('base64')}$${hash.toString('base64')}`;
};

describe('a secret', () => {
  it.each([
    ['old password', METER],
    ['p:ä"$x', PUMP],
    ['legacy one', LEGACY],
    ['generated', createHash('sha256').update('generated').digest('hex')],
  ])('%j matches its hash, and no other does', async (secret, hash) => {
    const checks = new SecretChecks();
    expect(await checks.matches({ device: 'd', secret, stored: hash })).toBe(true);
    for (const other of [`${secret}x`, secret.slice(1), '', hash])
      expect(await new SecretChecks().matches({ device: 'd', secret: other, stored: hash })).toBe(false);
  });

  it.each([null, '', 'plain', '$7$101$x$y'])('never matches the hash %j', async (hash) => {
    for (const secret of ['', 'plain', String(hash)])
      expect(await new SecretChecks().matches({ device: 'd', secret, stored: hash })).toBe(false);
  });
});

/** Checks by a clock that the test moves, and what each outcome is called. */
function setUp() {
  const clock = { now: 0 };
  const checks = new SecretChecks(() => clock.now);
  const login = (device: string, secret: string, stored: string, isGone?: () => boolean) =>
    checks.matches({ device, secret, stored, isGone }).then(
      (matches) => (matches ? 'right' : 'wrong'),
      ({ code }: SluiceError) => code,
    );
  return { clock, login };
}

describe('a flood of wrong passwords for one device', () => {
  const slow = pbkdf2('secret', 20_000);

  it('holds up no other device, and ends in a pause', async () => {
    const { clock, login } = setUp();
    const order: string[] = [];
    const flood = Array.from({ length: 100 }, (_, i) =>
      login('a', `guess ${i}`, slow).then((said) => order.push(said)),
    );
    const other = login('b', 'secret', pbkdf2('secret', 20_000)).then((said) => order.push(`b ${said}`));
    await Promise.all([...flood, other]);
    expect(order.filter((said) => said === 'wrong')).toHaveLength(3);
    expect(order.filter((said) => said === 'busy')).toHaveLength(97);
    expect(order).toContain('b right');
    expect(await login('a', 'secret', slow)).toBe('busy');
    clock.now += 5_000;
    expect(await login('a', 'guess', slow)).toBe('wrong');
    expect(await login('a', 'secret', slow)).toBe('busy');
    clock.now += 5_000;
    expect(await login('a', 'secret', slow)).toBe('right');
    expect(await login('a', 'guess', slow)).toBe('wrong');
  });

  it('does not keep the device out once its password was found right', async () => {
    const { login } = setUp();
    expect(await login('a', 'secret', slow)).toBe('right');
    await Promise.all(Array.from({ length: 10 }, (_, i) => login('a', `guess ${i}`, slow)));
    expect(await login('a', 'guess', slow)).toBe('busy');
    expect(await login('a', 'secret', slow)).toBe('right');
    expect(await login('a', 'secret', pbkdf2('another', 1))).toBe('busy');
  });

  it('gives the places of those who left to those who came', async () => {
    const { login } = setUp();
    const gone = Array.from({ length: 5 }, (_, i) => login('a', `guess ${i}`, slow, () => true));
    expect(await login('a', 'secret', slow)).toBe('right');
    expect(await Promise.all(gone)).toEqual(Array.from({ length: 5 }, () => 'busy'));
  });
});

describe('many devices with imported passwords at once', () => {
  it('all come in, and leave the loop free', async () => {
    const { login } = setUp();
    let turnCount = 0;
    const timer = setInterval(() => {
      turnCount += 1;
    }, 1);
    const all = Array.from({ length: 100 }, (_, i) => login(`d${i}`, 'secret', pbkdf2('secret', 1_000)));
    expect(new Set(await Promise.all(all))).toEqual(new Set(['right']));
    clearInterval(timer);
    expect(turnCount).toBeGreaterThan(0);
  });

  it('are told to come again when more than 256 wait', async () => {
    const { login } = setUp();
    const stored = pbkdf2('secret', 101);
    const said = await Promise.all(Array.from({ length: 300 }, (_, i) => login(`d${i}`, 'secret', stored)));
    expect(said.filter((word) => word === 'busy')).toHaveLength(300 - 2 - 256);
  });
});
