import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../../src/core/errors.ts';
import { readLogin, readTls } from '../../../../src/uplink/kafka/credentials.ts';
import { CertificateAuthority } from '../../../support/certificates.ts';

const SECRET = 'canary-4711';
let directory: string;
let authority: CertificateAuthority;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-credentials-'));
  authority = new CertificateAuthority();
});
afterAll(() => {
  rmSync(directory, { recursive: true });
  authority.remove();
});

function write(name: string, content: string): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

function failureOf(read: () => unknown): SluiceError {
  try {
    read();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error('it was read');
}

describe('a login', () => {
  it('is read anew each time', () => {
    const passwordFile = write('password', `${SECRET}\n`);
    const sasl = { mechanism: 'scram-sha-512', username: 'pi', passwordFile } as const;
    expect(readLogin(sasl)).toEqual({ mechanism: 'scram-sha-512', username: 'pi', password: SECRET });
    write('password', ' renewed ');
    expect(readLogin(sasl)).toMatchObject({ password: ' renewed ' });
  });

  it('of a token has nothing else', () => {
    expect(readLogin({ mechanism: 'oauthbearer', tokenFile: write('token', 'a.b.\n') })).toEqual({
      mechanism: 'oauthbearer',
      token: 'a.b.',
    });
  });

  it.each([
    ['does not exist', () => join(directory, 'missing')],
    ['is empty', () => write('empty', '\n')],
    ['cannot be read', () => directory],
  ])('from a file that %s says which', (what, file) => {
    const passwordFile = file();
    const error = failureOf(() => readLogin({ mechanism: 'plain', username: 'pi', passwordFile }));
    expect(error).toMatchObject({ code: 'file_unusable', retryable: false });
    expect(error.message).toContain(`sasl.passwordFile (${passwordFile}) ${what}`);
  });
});

describe('the identity for TLS', () => {
  it('is made of PEM files', () => {
    const { caFile } = authority;
    expect(readTls({ caFile, ...authority.issue({ name: 'pi' }), serverName: 'kafka' })).toMatchObject({
      servername: 'kafka',
    });
    expect(readTls({}).servername).toBeUndefined();
  });

  it.each([
    ['an authority without a certificate', () => ({ caFile: write('ca', SECRET) }), /tls.caFile .* no PEM certificate/],
    [
      'a certificate that is none',
      () => ({ certFile: write('cert', SECRET), keyFile: authority.issue({ name: 'pi' }).keyFile }),
      /tls.certFile .* no PEM certificate/,
    ],
    [
      'the key of another certificate',
      () => ({ ...authority.issue({ name: 'pi' }), keyFile: authority.issue({ name: 'other' }).keyFile }),
      /tls.keyFile .* is not the unencrypted PEM key of tls.certFile/,
    ],
    [
      'a key that is none',
      () => ({ ...authority.issue({ name: 'pi' }), keyFile: write('key', SECRET) }),
      /tls.keyFile/,
    ],
  ])('says what is wrong with %s, and nothing of what stands in it', (_, files, message) => {
    const error = failureOf(() => readTls(files()));
    expect(error).toMatchObject({ code: 'file_unusable', retryable: false, message: expect.stringMatching(message) });
    expect(String(error)).not.toContain(SECRET);
  });
});
