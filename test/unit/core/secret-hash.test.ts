import { describe, expect, it } from 'vitest';
import { parseSecretHash } from '../../../src/core/secret-hash.ts';

const HASH = `${'A'.repeat(86)}==`;
const SALT = 'HFE7erR1//502NYe';

describe('the hash of a secret', () => {
  it('is SHA-256 in hexadecimal, or as mosquitto_passwd writes it', () => {
    expect(parseSecretHash('0'.repeat(64))?.kind).toBe('sha256');
    expect(parseSecretHash(`$6$${SALT}$${HASH}`)?.kind).toBe('sha512');
    expect(parseSecretHash(`$7$101$${SALT}$${HASH}`)).toMatchObject({ kind: 'pbkdf2', iterations: 101 });
    expect(parseSecretHash(`$7$1000000$${SALT}$${HASH}`)).toMatchObject({ iterations: 1_000_000 });
  });

  it.each([
    '',
    'secret',
    '0'.repeat(63),
    'A'.repeat(64),
    `$7$${SALT}$${HASH}`,
    `$7$0$${SALT}$${HASH}`,
    `$7$1000001$${SALT}$${HASH}`,
    `$7$-1$${SALT}$${HASH}`,
    `$7$101$$${HASH}`,
    `$7$101$${SALT}$AAAA`,
    `$7$101$${SALT}$${HASH}x`,
    `$5$${SALT}$${HASH}`,
    '$argon2id$v=19$m=65536,t=3,p=1$AAAA$AAAA',
  ])('is not %j', (text) => {
    expect(parseSecretHash(text)).toBeUndefined();
  });
});
