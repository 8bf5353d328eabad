import { chmodSync, lstatSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerOptions } from 'node:http';
import { createServer as createTlsServer, type Server as HttpsServer } from 'node:https';
import type { AddressInfo, ListenOptions, Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { codeOf, messageOf, SluiceError } from '../core/errors.ts';
import type { TlsMaterial } from '../platform/tls-files.ts';
import { Answer } from './answer.ts';
import { answerUnread } from './unread-requests.ts';

export type Server = HttpServer | HttpsServer;
export type RequestListener = (incoming: IncomingMessage, outgoing: Answer) => unknown;

const LIMITS: ServerOptions<typeof IncomingMessage, typeof Answer> = {
  ServerResponse: Answer,
  // Without one Node would answer itself; who asks for no host is refused like who asks for a wrong one.
  requireHostHeader: false,
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 2_000,
};
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 128;
const IDLE_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 500;
const OWNER_ONLY = 0o600;
/** What clients can connect to, unix(7). */
const MAX_SOCKET_PATH_BYTES = 107;

/** Open connections of each server. HTTP knows them only once a request came, and TLS after the handshake. */
const CONNECTIONS = new WeakMap<Server, Set<Socket>>();

/** `onError` hears of connections that could not be taken in, for example because there are no descriptors left. */
export interface ListenerOptions {
  readonly listener: RequestListener;
  readonly onError: (error: Error) => void;
  /** With it HTTPS is spoken. */
  readonly tls?: TlsMaterial | undefined;
}

async function listen(options: ListenerOptions, place: ListenOptions): Promise<Server> {
  const server = newServer(options);
  answerUnread(server);
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(IDLE_TIMEOUT_MS);
  rememberConnections(server);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(place, resolve);
  await promise;
  server.off('error', reject);
  server.on('error', options.onError);
  return server;
}

function rememberConnections(server: Server): void {
  const connections = new Set<Socket>();
  CONNECTIONS.set(server, connections);
  server.on('connection', (socket: Socket) => {
    connections.add(socket);
    socket.once('close', () => connections.delete(socket));
  });
}

function newServer({ listener, tls }: ListenerOptions): Server {
  if (tls === undefined) return createServer(LIMITS, listener);
  return createTlsServer({ ...LIMITS, ...tls, handshakeTimeout: HANDSHAKE_TIMEOUT_MS }, listener);
}

/** @throws SluiceError `port_in_use`, `port_not_allowed`, `address_not_available`, `listen_failed` */
export async function listenOnTcp(options: ListenerOptions, host: string, port: number): Promise<Server> {
  try {
    return await listen(options, { host, port });
  } catch (error) {
    throw bindError(error, host, port);
  }
}

export function addressOf(server: Server): AddressInfo | undefined {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address : undefined;
}

/**
 * Replaces the socket file that a killed daemon left behind (the lock on the data directory says that none runs).
 * The socket is bound in a directory of its own and moved here when only its owner may open it, so there is no moment
 * at which others could.
 * @throws SluiceError `control_socket_failed`
 */
export async function listenOnSocket(options: ListenerOptions, path: string): Promise<Server> {
  let server: Server | undefined;
  let directory: string | undefined;
  try {
    checkPath(path);
    directory = mkdtempSync(join(dirname(path), '.ctl-'));
    const bound = join(directory, 's');
    server = await listen(options, { path: bound });
    chmodSync(bound, OWNER_ONLY);
    renameSync(bound, path);
    return server;
  } catch (error) {
    server?.close();
    throw new SluiceError(`the control socket ${path} cannot be made: ${messageOf(error)}`, {
      code: 'control_socket_failed',
      hint: 'Check who owns gateway.dataDir, and keep its path below 90 characters.',
      cause: error,
    });
  } finally {
    if (directory !== undefined) rmSync(directory, { recursive: true, force: true });
  }
}

function checkPath(path: string): void {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH_BYTES) throw new Error('its path is too long');
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && !stats.isSocket()) throw new Error('another file is in its place');
}

/** Lets answers under way go out, then cuts what is still open. Never rejects. */
export async function closeServer(server: Server): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.close(() => resolve());
  server.closeIdleConnections();
  const timer = setTimeout(() => cutConnections(server), STOP_GRACE_MS);
  await promise;
  clearTimeout(timer);
}

function cutConnections(server: Server): void {
  server.closeAllConnections();
  for (const socket of CONNECTIONS.get(server) ?? []) socket.destroy();
}

function bindError(error: unknown, host: string, port: number): SluiceError {
  const place = `${host}:${port}`;
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new SluiceError(`port ${port} on ${host} is in use`, {
        code: 'port_in_use',
        hint: `Stop the program that listens there (ss -ltnp 'sport = :${port}' names it), or set another port in api.listeners.`,
        cause: error,
      });
    case 'EACCES':
      return new SluiceError(`this user may not listen on ${place}`, {
        code: 'port_not_allowed',
        hint: 'Set a port of 1024 or above in api.listeners.',
        cause: error,
      });
    case 'EADDRNOTAVAIL':
      return new SluiceError(`${host} is no address of this machine`, {
        code: 'address_not_available',
        hint: 'Set another host in api.listeners.',
        cause: error,
      });
    default:
      return new SluiceError(`cannot listen on ${place}: ${messageOf(error)}`, { code: 'listen_failed', cause: error });
  }
}
