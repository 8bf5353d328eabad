import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { connectBytes, publishBytes, type RawClient, type RawConnect } from '../support/mqtt-raw-client.ts';
import { listenerFor, makeFiles, openRaw, startTransport, type TestFiles } from '../support/mqtt-transports.ts';
import { startCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/telemetry';

let files: TestFiles;
let stranger: CertificateAuthority;
const sockets: Socket[] = [];

beforeAll(() => {
  files = makeFiles();
  stranger = new CertificateAuthority('a stranger');
});
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await stopMqtt();
});
afterAll(() => {
  files.remove();
  stranger.remove();
});

async function tcpTo({ port }: MqttHarness): Promise<Socket> {
  const socket = connectTcp({ port, host: '127.0.0.1' });
  sockets.push(socket);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Closed in whichever way: a reset is one too. */
async function gone(socket: Socket): Promise<void> {
  await waitFor(() => socket.closed, { what: 'the end of the connection', timeoutMs: 10_000 });
}

function handshakeFailures({ logger }: MqttHarness): readonly Readonly<Record<string, unknown>>[] {
  return logger.lines.filter(({ message }) => message === 'TLS handshake failed').map(({ fields }) => fields);
}

async function expectServed(harness: MqttHarness): Promise<void> {
  const client = await openRaw({ transport: 'tls', port: harness.port, files });
  expect(await client.connect({ clientId: 'served' })).toBe(0);
  client.disconnect();
  await client.gone();
}

describe('a listener with TLS', () => {
  it('closes a connection that does not finish its handshake in time, however it drips', async () => {
    const harness = await startTransport('tls', files, { connectTimeout: 300 });
    const silent = await tcpTo(harness);
    const dripping = await tcpTo(harness);
    const drip = setInterval(() => dripping.write(Buffer.from([0x16])), 50);
    await Promise.all([gone(silent), gone(dripping)]).finally(() => clearInterval(drip));
  });

  it('counts half of a handshake like a client, and serves again when it is over', async () => {
    const harness = await startTransport('tls', files, { maxClients: 3 });
    const scanners = [await tcpTo(harness), await tcpTo(harness), await tcpTo(harness)];
    const refused = await openRaw({ transport: 'tls', port: harness.port, files });
    expect(await refused.connect({ clientId: 'c' })).toBe(3);
    await refused.gone();
    for (const scanner of scanners) scanner.destroy();
    await waitFor(async () => await expectServed(harness).then(() => true), { what: 'room', timeoutMs: 5_000 });
  });

  it('takes no more handshakes at a time than a few more than there may be clients', async () => {
    const harness = await startTransport('tls', files, { maxClients: 1 });
    const scanners = await Promise.all(Array.from({ length: 80 }, () => tcpTo(harness)));
    await waitFor(() => scanners.filter(({ destroyed }) => destroyed).length >= 15, {
      what: 'connections beyond the limit closed',
      timeoutMs: 5_000,
    });
    expect(scanners.filter(({ destroyed }) => !destroyed).length).toBe(65);
    expect(harness.logger.lines.filter(({ message }) => message.includes('too many clients')).length).toBe(1);
  });

  it('stops although handshakes are not finished', async () => {
    const harness = await startTransport('tls', files);
    const silent = await tcpTo(harness);
    await harness.source.stop();
    await gone(silent);
  });

  it('says in plain words that what came is no TLS', async () => {
    for (const bytes of [connectBytes({ clientId: 'c' }), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      const harness = await startTransport('tls', files);
      const socket = await tcpTo(harness);
      socket.write(bytes);
      await gone(socket);
      expect(handshakeFailures(harness)).toMatchObject([
        { address: '127.0.0.1', reason: 'what came is no TLS', hint: expect.stringContaining('switch TLS on') },
      ]);
      await expectServed(harness);
    }
  });

  it('says when a client does not trust its certificate', async () => {
    const harness = await startTransport('tls', files);
    const args = ['-h', '127.0.0.1', '-p', `${harness.port}`, '--cafile', stranger.caFile, '-t', TOPIC, '-m', '1'];
    const { code } = await startCommand('mosquitto_pub', args, { debianPackage: 'mosquitto-clients' }).ended;
    expect(code).not.toBe(0);
    await waitFor(() => handshakeFailures(harness).length === 1, { what: 'a log line', timeoutMs: 5_000 });
    expect(handshakeFailures(harness)).toMatchObject([
      {
        address: '127.0.0.1',
        reason: expect.stringContaining('the client does not trust the certificate'),
        hint: expect.any(String),
      },
    ]);
  });

  it('says nothing aloud of connections that just end', async () => {
    const harness = await startTransport('tls', files);
    (await tcpTo(harness)).destroy();
    await waitFor(() => handshakeFailures(harness).length === 1, { what: 'a debug line', timeoutMs: 5_000 });
    expect(harness.logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
  });

  it('speaks nothing older than TLS 1.2', async () => {
    const harness = await startTransport('tls', files);
    const old = { maxVersion: 'TLSv1.1', minVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const;
    const socket = connectTls({ port: harness.port, host: '127.0.0.1', rejectUnauthorized: false, ...old });
    await expect(once(socket, 'secureConnect')).rejects.toThrow();
    await waitFor(() => handshakeFailures(harness).length === 1, { what: 'a log line', timeoutMs: 5_000 });
    expect(handshakeFailures(harness)).toMatchObject([{ hint: 'use TLS 1.2 or 1.3' }]);
  });

  it('is not opened when its files cannot be used, nor is any other', async () => {
    const { keyFile } = stranger.issue({ name: 'other' });
    const broken = { ...listenerFor('tls', files), tls: { ...files.server, keyFile, requireClientCertificate: false } };
    await expect(startMqtt({ mqtt: { listeners: [listenerFor('tcp', files), broken] } })).rejects.toMatchObject({
      code: 'tls_files_unusable',
      message: expect.stringMatching(/^mqtt\.listeners\[1\]\.tls\.keyFile: .* is not the key of/),
    });
  });
});

describe('a certificate that is replaced', () => {
  it('is shown to new clients, while those that are connected go on', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
    const put = ({ certFile, keyFile }: IssuedCertificate): void => {
      copyFileSync(keyFile, join(directory, 'key.pem'));
      copyFileSync(certFile, join(directory, 'cert.pem'));
    };
    put(files.server);
    const server = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') };
    const harness = await startTransport('wss', { ...files, server });
    const shown = async (): Promise<unknown> => {
      const socket = connectTls({ port: harness.port, host: '127.0.0.1', ca: readFileSync(files.authority.caFile) });
      await once(socket, 'secureConnect');
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return CN;
    };
    const client = await openRaw({ transport: 'wss', port: harness.port, files });
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    expect(await shown()).toBe('server');
    put(files.authority.issue({ name: 'renewed' }));
    await waitFor(async () => (await shown()) === 'renewed', { what: 'the new certificate', timeoutMs: 10_000 });
    client.send(publishBytes({ topic: TOPIC, payload: '1', qos: 1, packetId: 1 }));
    await client.next('puback');
    rmSync(directory, { recursive: true });
  });
});

describe('authorities of client certificates that are replaced', () => {
  it('decide about new clients, while those that are connected go on', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'sluice-reload-'));
    const caFile = join(directory, 'ca.pem');
    copyFileSync(files.authority.caFile, caFile);
    const tls = { ...files.server, caFile, requireClientCertificate: true };
    const { port, source } = await startMqtt({
      mqtt: { listeners: [{ host: '127.0.0.1', port: 0, anonymous: false, tls }] },
    });
    const [old, young] = [files.authority, stranger].map((authority) => authority.issue({ name: 'meter' }));
    const open = (certificate: IssuedCertificate | undefined) =>
      openRaw({ transport: 'tls', port, files, ...(certificate && { certificate }) });
    const client = await open(old);
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    copyFileSync(stranger.caFile, caFile);
    const letIn = async (): Promise<boolean> => {
      const attempt = await open(young);
      attempt.send(connectBytes({ clientId: 'd' }));
      await waitFor(() => attempt.closed || attempt.received.length > 0, { what: 'an answer', timeoutMs: 5_000 });
      return attempt.received.length > 0;
    };
    await waitFor(letIn, { what: 'the new authority', timeoutMs: 10_000 });
    const late = await open(old);
    await late.gone();
    await client.ping();
    expect(source.clientCount()).toBe(2);
    rmSync(directory, { recursive: true });
  });
});

describe('a client certificate', () => {
  let device: IssuedCertificate;

  beforeAll(() => {
    device = files.authority.issue({ name: 'meter' });
  });

  /** With what is asked for: a certificate or a password, or a certificate always. */
  async function start(requireClientCertificate = false): Promise<MqttHarness> {
    const listener = listenerFor('tls', files);
    const tls = listener.tls && { ...listener.tls, requireClientCertificate };
    const harness = await startMqtt({ mqtt: { listeners: [{ ...listener, tls, anonymous: false }] } });
    harness.access.secrets.set('pump', 'a secret');
    return harness;
  }

  async function login(
    harness: MqttHarness,
    certificate: IssuedCertificate | undefined,
    options: Partial<RawConnect> = {},
  ): Promise<{ client: RawClient; code: number | undefined }> {
    const client = await openRaw({ transport: 'tls', port: harness.port, files, ...(certificate && { certificate }) });
    return { client, code: await client.connect({ clientId: 'c', ...options }) };
  }

  it('logs in as the device that its common name says, with the rights of a login by password', async () => {
    const harness = await start();
    const { client, code } = await login(harness, device);
    expect(code).toBe(0);
    expect(await client.subscribe(['devices/meter/#', 1], ['devices/pump/#', 1], ['$SYS/#', 0])).toEqual([
      1, 0x80, 0x80,
    ]);
    client.send(publishBytes({ topic: 'devices/meter/telemetry', payload: '1', qos: 1, packetId: 1 }));
    client.send(publishBytes({ topic: 'devices/pump/telemetry', payload: '2', qos: 1, packetId: 2 }));
    await waitFor(() => client.ids('puback').length === 2, { what: 'two PUBACKs', timeoutMs: 5_000 });
    expect(harness.intake.payloads()).toEqual(['1']);
    expect(harness.presence.told).toEqual(['meter online']);
    expect(harness.access.claims.get('c')).toBe('meter');
  });

  it('ends with its device when that is removed', async () => {
    const harness = await start();
    const { client } = await login(harness, device);
    await harness.source.forget('meter');
    await client.gone();
  });

  it('may come with the name of its device, not with another one', async () => {
    const harness = await start();
    expect((await login(harness, device, { username: 'meter' })).code).toBe(0);
    expect((await login(harness, device, { username: 'pump', password: 'a secret' })).code).toBe(4);
    expect(harness.logger.lines.at(-1)?.fields).toMatchObject({
      device: 'pump',
      reason: 'the user name is not the common name of the client certificate',
      hint: expect.stringContaining('leave the user name out'),
    });
  });

  it('need not be there where a password will do', async () => {
    const harness = await start();
    expect((await login(harness, undefined, { username: 'pump', password: 'a secret' })).code).toBe(0);
    expect((await login(harness, undefined, { clientId: 'd' })).code).toBe(5);
  });

  it.each<[string, () => IssuedCertificate | undefined, RegExp, RegExp]>([
    ['is missing', () => undefined, /no client certificate/, /certificate and key of an authority in tls.caFile/],
    [
      'has expired',
      () => files.authority.issue({ name: 'meter', expired: true }),
      /CERT_HAS_EXPIRED/,
      /a new certificate/,
    ],
    [
      'is of another authority',
      () => stranger.issue({ name: 'meter' }),
      /cannot be trusted/,
      /of an authority in tls.caFile/,
    ],
    [
      'is for servers only',
      () => files.authority.issue({ name: 'meter', usage: 'serverAuth' }),
      /INVALID_PURPOSE/,
      /extendedKeyUsage clientAuth/,
    ],
    [
      'names no device id',
      () => files.authority.issue({ name: 'a b' }),
      /no device id: a b/,
      /issue one whose only common name/,
    ],
    [
      'names two devices',
      () => files.authority.issue({ name: 'meter/CN=pump' }),
      /no device id: meter,pump/,
      /only common name/,
    ],
  ])('that %s is refused where one is required, and a line says what to do', async (_, certificate, reason, hint) => {
    const harness = await start(true);
    const issued = certificate();
    const options = issued && { cert: readFileSync(issued.certFile), key: readFileSync(issued.keyFile) };
    const ca = readFileSync(files.authority.caFile);
    const socket = connectTls({ port: harness.port, host: '127.0.0.1', ca, ...options });
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write(connectBytes({ clientId: 'c', username: 'pump', password: 'a secret' }));
    await gone(socket);
    await waitFor(() => handshakeFailures(harness).length > 0, { what: 'a log line', timeoutMs: 5_000 });
    expect(handshakeFailures(harness)).toEqual([
      { address: '127.0.0.1', reason: expect.stringMatching(reason), hint: expect.stringMatching(hint) },
    ]);
    expect(harness.source.clientCount()).toBe(0);
  });

  it('that cannot be trusted is refused also where none is required', async () => {
    const harness = await start();
    const untrusted = stranger.issue({ name: 'meter' });
    const client = await openRaw({ transport: 'tls', port: harness.port, files, certificate: untrusted });
    client.send(connectBytes({ clientId: 'c', username: 'pump', password: 'a secret' }));
    await client.gone();
    expect(client.received).toEqual([]);
    expect(handshakeFailures(harness)).toMatchObject([{ reason: expect.stringContaining('cannot be trusted') }]);
  });

  it('still says who it is when the client resumes an earlier session of TLS', async () => {
    const harness = await start(true);
    const options = {
      port: harness.port,
      host: '127.0.0.1',
      ca: readFileSync(files.authority.caFile),
      cert: readFileSync(device.certFile),
      key: readFileSync(device.keyFile),
    };
    const first: TLSSocket = connectTls(options);
    sockets.push(first);
    const [session] = (await once(first, 'session')) as [Buffer];
    const again = connectTls({ ...options, session });
    sockets.push(again);
    await once(again, 'secureConnect');
    expect(again.isSessionReused()).toBe(true);
    again.write(connectBytes({ clientId: 'c' }));
    expect((await once(again, 'data'))[0]).toEqual(Buffer.from([0x20, 2, 0, 0]));
    expect(harness.presence.told).toEqual(['meter online']);
  });
});
