import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { type ClientOptions, createWebSocketStream, WebSocket } from 'ws';
import type { MqttListenerOptions, MqttOptions } from '../../src/sources/mqtt/options.ts';
import { CertificateAuthority, type IssuedCertificate } from './certificates.ts';
import { type MqttHarness, startMqtt } from './mqtt-harness.ts';
import { RawClient } from './mqtt-raw-client.ts';

export const TRANSPORTS = ['tcp', 'tls', 'ws', 'wss'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Files of one authority that everybody in a test trusts; made once per test file. */
export interface TestFiles {
  readonly authority: CertificateAuthority;
  readonly server: IssuedCertificate;
  remove(): void;
}

export function makeFiles(): TestFiles {
  const authority = new CertificateAuthority();
  return { authority, server: authority.issue({ name: 'server' }), remove: () => authority.remove() };
}

export function listenerFor(transport: Transport, { authority, server }: TestFiles): MqttListenerOptions {
  const tls = { ...server, caFile: authority.caFile, requireClientCertificate: false };
  const isTls = transport === 'tls' || transport === 'wss';
  const websocket = transport === 'ws' || transport === 'wss';
  return { host: '127.0.0.1', port: 0, anonymous: true, websocket, ...(isTls ? { tls } : {}) };
}

/** The real MQTT source with one listener, anonymous, of that kind. */
export async function startTransport(
  transport: Transport,
  files: TestFiles,
  mqtt: Partial<MqttOptions> = {},
): Promise<MqttHarness> {
  return await startMqtt({ mqtt: { listeners: [listenerFor(transport, files)], ...mqtt } });
}

export interface OpenOptions {
  readonly transport: Transport;
  readonly port: number;
  readonly files: TestFiles;
  /** The client's own certificate. */
  readonly certificate?: IssuedCertificate;
}

/** A connection on which MQTT may begin. */
export async function openRaw({ transport, port, files, certificate }: OpenOptions): Promise<RawClient> {
  const own = certificate && { cert: readFileSync(certificate.certFile), key: readFileSync(certificate.keyFile) };
  const tls = { ca: readFileSync(files.authority.caFile), ...own };
  const place = { host: '127.0.0.1', port };
  switch (transport) {
    case 'tcp':
      return await RawClient.open(port);
    case 'tls': {
      const socket = connectTls({ ...place, ...tls });
      await once(socket, 'secureConnect');
      return RawClient.over(socket);
    }
    case 'ws':
    case 'wss': {
      const webSocket = await openWebSocket(`${transport}://127.0.0.1:${port}/mqtt`, tls);
      const stream = createWebSocketStream(webSocket);
      webSocket.once('close', () => stream.destroy());
      return RawClient.over(stream);
    }
  }
}

export async function openWebSocket(url: string, options: ClientOptions = {}, protocol = 'mqtt'): Promise<WebSocket> {
  const webSocket = new WebSocket(url, protocol, options);
  await once(webSocket, 'open');
  return webSocket;
}
