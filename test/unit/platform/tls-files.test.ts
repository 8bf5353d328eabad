import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTls, readTls, type TlsFiles } from '../../../src/platform/tls-files.ts';
import { CertificateAuthority, type IssuedCertificate } from '../../support/certificates.ts';

let authority: CertificateAuthority;
let issued: IssuedCertificate;

beforeAll(() => {
  authority = new CertificateAuthority();
  issued = authority.issue({ name: 'server' });
});

afterAll(() => authority.remove());

function written(name: string, content: string): string {
  const file = join(authority.directory, name);
  writeFileSync(file, content);
  return file;
}

/** `certFile does not exist`: the option and the words, without the path. */
function problems(files: Partial<TlsFiles>): readonly string[] {
  return readTls({ ...issued, ...files }).problems.map(
    ({ option, message }) => `${option} ${message.replaceAll(/\/\S*\/(\S+)/g, '$1')}`,
  );
}

describe('certificate files', () => {
  it('are taken when they fit, and say how long they hold', () => {
    const { material } = readTls({ ...issued, caFile: authority.caFile });
    expect(material?.cert).toEqual(readFileSync(issued.certFile));
    expect(material?.key).toEqual(readFileSync(issued.keyFile));
    expect(material?.ca).toEqual(readFileSync(authority.caFile));
    expect((material?.validUntil ?? 0) - (material?.validFrom ?? 0)).toBe(365 * 24 * 60 * 60 * 1000);
  });

  it('are taken with the chain behind the certificate, and with text in between', () => {
    const chain = `leaf\n${readFileSync(issued.certFile, 'utf8')}\nauthority\n${readFileSync(authority.caFile, 'utf8')}`;
    expect(problems({ certFile: written('chain.pem', chain) })).toEqual([]);
  });

  it('are taken although they have expired: the clock may be wrong', () => {
    const { material } = readTls(authority.issue({ name: 'server', expired: true }));
    expect(material?.validUntil).toBeLessThan(Date.now());
  });

  it('are all looked at, and everything that is wrong is named at once', () => {
    const garbage = written('garbage.pem', 'no PEM');
    expect(problems({ certFile: '/nowhere/cert.pem', keyFile: garbage, caFile: garbage })).toEqual([
      'certFile cert.pem does not exist',
      'keyFile garbage.pem holds no private key in PEM (-----BEGIN PRIVATE KEY-----)',
      'caFile garbage.pem holds no certificate in PEM (-----BEGIN CERTIFICATE-----)',
    ]);
  });

  it('are refused when they are in each other’s place', () => {
    expect(problems({ certFile: issued.keyFile, keyFile: issued.certFile })).toEqual([
      'certFile 1-key.pem holds no certificate in PEM (-----BEGIN CERTIFICATE-----)',
      'keyFile 1.pem holds no private key in PEM (-----BEGIN PRIVATE KEY-----)',
    ]);
  });

  it('are refused when the key belongs to another certificate', () => {
    const { keyFile } = authority.issue({ name: 'other' });
    expect(problems({ keyFile })).toEqual([
      expect.stringMatching(/^keyFile \d+-key.pem is not the key of the first certificate in 1.pem$/),
    ]);
  });

  it('are refused when the certificate is damaged', () => {
    const pem = readFileSync(issued.certFile, 'utf8').replace(/\n.{20}/, '\nAAAAAAAAAAAAAAAAAAAA');
    expect(problems({ certFile: written('damaged.pem', pem) })).toEqual([
      'certFile damaged.pem holds a certificate that cannot be read: copy it again',
    ]);
  });

  it('are refused when the key has a passphrase, with the command that takes it off', () => {
    const keyFile = join(authority.directory, 'locked.pem');
    execFileSync('openssl', ['pkey', '-in', issued.keyFile, '-aes256', '-passout', 'pass:x', '-out', keyFile]);
    expect(problems({ keyFile })).toEqual([
      'keyFile locked.pem is locked by a passphrase: take it off with openssl pkey -in FILE -out NEWFILE',
    ]);
  });

  it('are refused when TLS itself does not take them', () => {
    const [keyFile, certFile] = [join(authority.directory, 'weak-key.pem'), join(authority.directory, 'weak.pem')];
    const subject = ['-subj', '/CN=weak', '-keyout', keyFile, '-out', certFile];
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:512', '-nodes', ...subject], { stdio: 'ignore' });
    expect(problems({ certFile, keyFile })).toEqual([expect.stringMatching(/^keyFile .* cannot be used: .*too small/)]);
  });

  it('are refused when they are no files, or too large to be certificates', () => {
    const directory = join(authority.directory, 'directory');
    mkdirSync(directory);
    const large = written('large.pem', '');
    truncateSync(large, 1024 * 1024 + 1);
    expect(problems({ certFile: directory, keyFile: large })).toEqual([
      'certFile directory is not a file',
      'keyFile large.pem is larger than 1MiB',
    ]);
  });

  it('make an error that names the options when they are needed', () => {
    expect(() => loadTls({ ...issued, keyFile: '/nowhere/key.pem' }, 'mqtt.listeners[0].tls')).toThrow(
      expect.objectContaining({
        code: 'tls_files_unusable',
        message: 'mqtt.listeners[0].tls.keyFile: /nowhere/key.pem does not exist',
        hint: 'mend the files, or set mqtt.listeners[0].tls to others',
      }),
    );
  });
});
