import { createHash, pbkdf2Sync, randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
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
    expect(await checks.matches(secret, hash)).toBe(true);
    for (const other of [`${secret}x`, secret.slice(1), '', hash])
      expect(await checks.matches(other, hash)).toBe(false);
  });

  it.each([null, '', 'plain', '$7$101$x$y'])('never matches the hash %j', async (hash) => {
    for (const secret of ['', 'plain', String(hash)])
      expect(await new SecretChecks().matches(secret, hash)).toBe(false);
  });
});

describe('a flood of logins with imported passwords', () => {
  it('leaves the loop free, waits its turn, and is told to come again beyond that', async () => {
    const checks = new SecretChecks();
    const slow = pbkdf2('secret', 20_000);
    const fast = createHash('sha256').update('generated').digest('hex');
    let turnCount = 0;
    const timer = setInterval(() => {
      turnCount += 1;
    }, 1);
    const flood = Array.from({ length: 100 }, () => checks.matches('secret', slow));
    expect(await checks.matches('generated', fast)).toBe(true);
    const results = await Promise.allSettled(flood);
    clearInterval(timer);
    const refused = results.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(34);
    for (const result of refused) expect(result).toMatchObject({ reason: { code: 'busy', retryable: true } });
    expect(results.filter((result) => result.status === 'fulfilled' && result.value)).toHaveLength(66);
    expect(turnCount).toBeGreaterThan(0);
    expect(await checks.matches('secret', slow)).toBe(true);
  });
});
