import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { CertificateAuthority, type IssuedCertificate } from '../../support/certificates.ts';

const authorities: CertificateAuthority[] = [];

afterEach(() => {
  for (const authority of authorities.splice(0)) authority.remove();
});

function newAuthority(): CertificateAuthority {
  const authority = new CertificateAuthority();
  authorities.push(authority);
  return authority;
}

/** What the client says of a server with that certificate: `authorized`, or the code of its refusal. */
async function handshake({ certFile, keyFile }: IssuedCertificate, trusted: CertificateAuthority): Promise<string> {
  const server = createServer({ cert: readFileSync(certFile), key: readFileSync(keyFile) }, (socket) => socket.end());
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect({ port, host: '127.0.0.1', ca: readFileSync(trusted.caFile) });
  try {
    await once(socket, 'secureConnect');
    return 'authorized';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  } finally {
    socket.destroy();
    server.close();
  }
}

describe("a test's certificate authority", () => {
  it('issues certificates that those who trust it take', async () => {
    const authority = newAuthority();
    expect(await handshake(authority.issue({ name: 'server' }), authority)).toBe('authorized');
  });

  it('issues certificates that are over', async () => {
    const authority = newAuthority();
    expect(await handshake(authority.issue({ name: 'server', expired: true }), authority)).toBe('CERT_HAS_EXPIRED');
  });

  it('issues certificates for other hosts', async () => {
    const authority = newAuthority();
    const elsewhere = authority.issue({ name: 'server', altNames: ['DNS:elsewhere.example'] });
    expect(await handshake(elsewhere, authority)).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
  });

  it('is trusted by nobody who was not told of it', async () => {
    const issued = newAuthority().issue({ name: 'server' });
    expect(await handshake(issued, newAuthority())).toMatch(
      /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|BAD_SIGNATURE|SIGNATURE_FAILURE/,
    );
  });
});
