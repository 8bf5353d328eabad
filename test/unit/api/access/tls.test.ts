import { once } from 'node:events';
import { copyFileSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { RunningApi } from '../../../support/api-server.ts';
import { CertificateAuthority, type IssuedCertificate } from '../../../support/certificates.ts';
import { waitFor } from '../../../support/wait-for.ts';

let authority: CertificateAuthority;
let first: IssuedCertificate;
let second: IssuedCertificate;
let running: RunningApi;

beforeAll(() => {
  authority = new CertificateAuthority();
  first = authority.issue({ name: 'first' });
  second = authority.issue({ name: 'second' });
});

afterEach(() => running.dispose());
afterAll(() => authority.remove());

function replaceFiles({ certFile, keyFile }: IssuedCertificate, directory: string): void {
  copyFileSync(certFile, join(directory, 'server.pem'));
  copyFileSync(keyFile, join(directory, 'server-key.pem'));
}

/** A gateway whose certificate is that of `issued`; returns a token. */
async function start(issued: IssuedCertificate): Promise<string> {
  running = new RunningApi((directory) => {
    replaceFiles(issued, directory);
    const tls = { certFile: join(directory, 'server.pem'), keyFile: join(directory, 'server-key.pem') };
    return { listeners: [{ host: '127.0.0.1', port: 0, anonymous: false, tls }] };
  });
  const [token = ''] = running.writeTokens(['read', 'write']);
  await running.server.start();
  return token;
}

interface Secured {
  readonly status: number | undefined;
  readonly body: string;
  /** Common name of the certificate that the gateway showed. */
  readonly name: string | string[] | undefined;
}

async function ask(token: string, headers: Record<string, string> = {}): Promise<Secured> {
  const { promise, resolve, reject } = Promise.withResolvers<Secured>();
  const method = headers['origin'] === undefined ? 'GET' : 'POST';
  const path = method === 'GET' ? '/v1/gateway' : '/v1/uplinks/plant/pause';
  const agent = new Agent({ keepAlive: false, maxCachedSessions: 0 });
  const trusted = { host: '127.0.0.1', port: running.port(), ca: readFileSync(authority.caFile), agent, method, path };
  const asked = request({ ...trusted, headers: { authorization: `Bearer ${token}`, ...headers } }, (response) => {
    const name = (response.socket as TLSSocket).getPeerCertificate().subject.CN;
    text(response).then((body) => resolve({ status: response.statusCode, body, name }), reject);
  });
  asked.once('error', reject).end();
  return promise;
}

describe('the API over TLS', () => {
  it('answers those who trust its certificate', async () => {
    const token = await start(first);
    expect(await ask(token)).toMatchObject({ status: 200, name: 'first' });
    expect(await ask('wrong')).toMatchObject({ status: 401 });
  });

  it('knows its own pages by https', async () => {
    const token = await start(first);
    const place = `127.0.0.1:${running.port()}`;
    expect(await ask(token, { origin: `https://${place}` })).toMatchObject({ status: 200 });
    expect(await ask(token, { origin: `http://${place}` })).toMatchObject({ status: 403 });
  });

  it('shows a new certificate when its files were replaced', async () => {
    const token = await start(first);
    replaceFiles(second, running.directory);
    const changed = async (): Promise<boolean> => (await ask(token)).name === 'second';
    await waitFor(changed, { what: 'the new certificate', timeoutMs: 20_000 });
  });

  it('says no word to who does not speak TLS, and says so in the log once', async () => {
    await start(first);
    for (let count = 0; count < 3; count += 1) {
      const socket = connect(running.port(), '127.0.0.1').on('error', () => undefined);
      socket.write('GET /v1/gateway HTTP/1.1\r\nHost: localhost\r\n\r\n');
      expect(await text(socket)).not.toContain('greenhouse-pi');
    }
    const told = running.api.logger.lines.filter(({ message }) => message.includes('TLS'));
    expect(told).toHaveLength(1);
  });

  it('does not wait for a handshake that never comes when it stops', async () => {
    await start(first);
    const socket = connect(running.port(), '127.0.0.1').on('error', () => undefined);
    await once(socket, 'connect');
    const cut = once(socket, 'close');
    await running.server.stop();
    await cut;
    // The gateway's end of the connection hears of it in the same turn.
    await nextTurn();
    expect(running.api.logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  }, 5_000);

  it('does not start without its files, and says which one is missing', async () => {
    running = new RunningApi();
    running.writeTokens(['read']);
    const tls = { certFile: join(running.directory, 'none.pem'), keyFile: first.keyFile };
    const server = running.another({ listeners: [{ host: '127.0.0.1', port: 0, anonymous: true, tls }] });
    await expect(server.start()).rejects.toMatchObject({
      code: 'tls_files_unusable',
      message: expect.stringContaining('api.listeners[0].tls.certFile'),
    });
    await server.stop();
  });
});
