import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TlsCertificate, type TlsCertificateOptions } from '../../../src/platform/tls-certificate.ts';
import type { TlsMaterial } from '../../../src/platform/tls-files.ts';
import { CertificateAuthority, type IssuedCertificate } from '../../support/certificates.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { waitFor } from '../../support/wait-for.ts';

const HOUR_MS = 3_600_000;
const READ_AGAIN = 'certificate read again: new connections get it';
const STAYS = 'the new certificate cannot be used: the former one stays';

let authority: CertificateAuthority;
let first: IssuedCertificate;
let second: IssuedCertificate;
let directory: string;
let logger: MemoryLogger;
let certificate: TlsCertificate | undefined;
let taken: TlsMaterial[];

beforeAll(() => {
  authority = new CertificateAuthority();
  first = authority.issue({ name: 'first' });
  second = authority.issue({ name: 'second' });
});

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-tls-'));
  logger = new MemoryLogger();
  taken = [];
});

afterEach(() => {
  certificate?.stop();
  rmSync(directory, { recursive: true, force: true });
});

afterAll(() => authority.remove());

/** Watches `cert.pem` and `key.pem` of a directory; without polling unless asked. */
function watched(
  place: string,
  options: Partial<TlsCertificateOptions> = {},
  onChange: (material: TlsMaterial) => void = (material) => taken.push(material),
): TlsMaterial {
  const files = { certFile: join(place, 'cert.pem'), keyFile: join(place, 'key.pem') };
  certificate = new TlsCertificate({
    files,
    usedBy: 'mqtt.listeners[0].tls',
    logger,
    settleMs: 10,
    pollMs: HOUR_MS,
    ...options,
  });
  const material = certificate.load();
  certificate.watch(onChange);
  return material;
}

function put({ certFile, keyFile }: IssuedCertificate, place = directory): void {
  copyFileSync(keyFile, join(place, 'key.pem'));
  copyFileSync(certFile, join(place, 'cert.pem'));
}

async function expectTaken({ certFile }: IssuedCertificate): Promise<void> {
  const cert = readFileSync(certFile);
  await waitFor(() => taken.at(-1)?.cert.equals(cert), { what: 'the new certificate', timeoutMs: 10_000 });
}

async function expectLogged(message: string, count: number): Promise<void> {
  const found = () => logger.lines.filter((line) => line.message === message).length;
  await waitFor(() => found() >= count, { what: `"${message}"`, timeoutMs: 10_000 });
  expect(found()).toBe(count);
}

describe('a certificate that is watched', () => {
  it('is read again when its files are written in place', async () => {
    put(first);
    watched(directory);
    put(second);
    await expectTaken(second);
    await expectLogged(READ_AGAIN, 1);
  });

  it('is read again when its files are replaced by a rename, again and again', async () => {
    put(first);
    watched(directory);
    const staging = join(directory, 'staging');
    mkdirSync(staging);
    for (const next of [second, first, second]) {
      put(next, staging);
      for (const file of ['key.pem', 'cert.pem']) renameSync(join(staging, file), join(directory, file));
      await expectTaken(next);
    }
  });

  it('is read again when links to its files lead elsewhere, as certbot leaves them', async () => {
    const live = join(directory, 'live');
    for (const [name, issued] of Object.entries({ 'archive-1': first, 'archive-2': second })) {
      mkdirSync(join(directory, name));
      put(issued, join(directory, name));
    }
    mkdirSync(live);
    const lead = (archive: string): void => {
      for (const file of ['cert.pem', 'key.pem']) {
        rmSync(join(live, file), { force: true });
        symlinkSync(join('..', archive, file), join(live, file));
      }
    };
    lead('archive-1');
    watched(live);
    lead('archive-2');
    await expectTaken(second);
    put(first, join(directory, 'archive-2'));
    await expectTaken(first);
  });

  it('is read again when a link to its directory leads elsewhere, by looking now and then', async () => {
    for (const [name, issued] of Object.entries({ one: first, two: second })) {
      mkdirSync(join(directory, name));
      put(issued, join(directory, name));
    }
    symlinkSync('one', join(directory, 'current'));
    watched(join(directory, 'current'), { pollMs: 20 });
    symlinkSync('two', join(directory, 'next'));
    renameSync(join(directory, 'next'), join(directory, 'current'));
    await expectTaken(second);
  });

  it('stays when the new files do not fit, which is said once, and gives way once they do', async () => {
    put(first);
    watched(directory, { pollMs: 20 });
    copyFileSync(second.certFile, join(directory, 'cert.pem'));
    await expectLogged(STAYS, 1);
    expect(logger.lines.at(-1)?.fields).toMatchObject({
      usedBy: 'mqtt.listeners[0].tls',
      reason: expect.stringContaining('is not the key of the first certificate'),
    });
    writeFileSync(join(directory, 'other'), 'a sign of change that is none');
    copyFileSync(second.keyFile, join(directory, 'key.pem'));
    await expectTaken(second);
    await expectLogged(STAYS, 1);
    expect(taken.length).toBe(1);
  });

  it('stays when the files are taken away, and is read again when they are back', async () => {
    put(first);
    watched(directory);
    unlinkSync(join(directory, 'cert.pem'));
    await expectLogged(STAYS, 1);
    put(second);
    await expectTaken(second);
  });

  it('is not handed out again when nothing has changed', async () => {
    put(first);
    watched(directory);
    put(first);
    put(second);
    await expectTaken(second);
    expect(taken.length).toBe(1);
  });

  it('is read again when it changed between loading and watching', async () => {
    put(first);
    const { certFile, keyFile } = first;
    certificate = new TlsCertificate({
      files: { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') },
      usedBy: 'api.listeners[0].tls',
      logger,
      settleMs: 10,
    });
    expect(certificate.load().cert).toEqual(readFileSync(certFile));
    expect(certificate.load().key).toEqual(readFileSync(keyFile));
    put(second);
    certificate.watch((material) => taken.push(material));
    await expectTaken(second);
  });

  it('does not keep a process from ending', async () => {
    put(first);
    watched(directory);
    const handles = process.getActiveResourcesInfo().filter((name) => /FSEvent|StatWatcher|Timeout/.test(name));
    certificate?.stop();
    expect(process.getActiveResourcesInfo().filter((name) => /FSEvent|StatWatcher|Timeout/.test(name))).toEqual(
      handles,
    );
  });

  it.each([
    ['has expired', { expired: true, now: Date.now() }, 'the certificate has expired: clients will refuse it'],
    ['expires soon', { expired: false, now: Date.now() + 360 * 24 * HOUR_MS }, 'the certificate expires soon'],
    ['is not valid yet', { expired: false, now: 0 }, 'the certificate is not valid yet: look at the clock'],
  ])('is taken, and a warning says so, when it %s', (_, { expired, now }, message) => {
    put(authority.issue({ name: 'server', expired }));
    watched(directory, { now: () => now });
    expect(logger.lines).toMatchObject([{ level: 'warn', message }]);
  });

  it('changes under a server whose connections go on', async () => {
    put(first);
    const server = createServer((socket) => socket.pipe(socket));
    server.setSecureContext(watched(directory, {}, (material) => server.setSecureContext(material)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const open = async (): Promise<TLSSocket> => {
      const socket = connect({ port, host: '127.0.0.1', ca: readFileSync(authority.caFile) });
      await once(socket, 'secureConnect');
      return socket;
    };
    const nameSeen = (socket: TLSSocket): unknown => socket.getPeerCertificate().subject.CN;
    const old = await open();
    put(second);
    await expectLogged(READ_AGAIN, 1);
    const fresh = await open();
    expect([nameSeen(old), nameSeen(fresh)]).toEqual(['first', 'second']);
    old.write('still here');
    expect(String((await once(old, 'data'))[0])).toBe('still here');
    old.destroy();
    fresh.destroy();
    server.close();
  });
});
