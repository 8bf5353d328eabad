import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { EventEmitter } from 'node:events';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ApiServer, ApiServerOptions } from '../../../src/api/server.ts';
import { RunningApi } from '../../support/api-server.ts';
import { type Answer, ask as askServer } from '../../support/ask.ts';

let running: RunningApi;
let directory: string;
let controlSocket: string;
let api: RunningApi['api'];
let server: ApiServer;
let port: number;
const sockets: Socket[] = [];

beforeEach(async () => {
  running = new RunningApi();
  ({ directory, controlSocket, api, server } = running);
  await server.start();
  port = running.port();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await running.dispose();
});

function newServer(options: Partial<ApiServerOptions> = {}): ApiServer {
  return running.another({ controlSocket, ...options });
}

function ask(options: RequestOptions, body = ''): Promise<Answer> {
  return askServer({ port, ...options }, body);
}

async function open(firstBytes: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const socket = connect(port, '127.0.0.1', resolve).on('error', reject);
  sockets.push(socket);
  await promise;
  socket.write(firstBytes);
  return socket;
}

describe('the API on TCP', () => {
  it('answers', async () => {
    const { status, headers, body } = await ask({ path: '/v1/gateway' });
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(JSON.parse(body)).toMatchObject({ id: 'greenhouse-pi' });
  });

  it.each(['/v1/gateway', '/v1/nothing', '/docs', '/openapi.json', '/problems/not_found'])(
    'answers %s for no cache to keep and for nothing else to be taken for',
    async (path) => {
      const { headers } = await ask({ path });
      expect([headers['cache-control'], headers['x-content-type-options']]).toEqual(['no-store', 'nosniff']);
    },
  );

  it('answers HEAD without a body', async () => {
    expect(await ask({ path: '/v1/gateway', method: 'HEAD' })).toMatchObject({ status: 200, body: '' });
  });

  it.each(['localhost', '127.0.0.1', '[::1]', 'LocalHost'])('answers to the name %s', async (name) => {
    const { status } = await ask({ path: '/health/live', headers: { host: `${name}:${port}` } });
    expect(status).toBe(200);
  });

  it.each(['evil.example', 'localhost.evil.example', 'localhost', '127.0.0.1:1', 'local host', '192.168.1.2:80'])(
    'refuses the host name %j',
    async (host) => {
      const { status, body } = await ask({ path: '/v1/gateway', headers: { host } });
      expect(status).toBeGreaterThanOrEqual(400);
      expect(body).not.toContain('greenhouse-pi');
    },
  );

  it.each([
    'GET /v1/gateway HTTP/1.1\r\nConnection: close\r\n\r\n',
    'GET /v1/gateway HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n',
    'GET /v1/gateway HTTP/1.0\r\n\r\n',
  ])('refuses %j, which names no host, like a wrong one', async (bytes) => {
    const [head = '', body = ''] = (await text(await open(bytes))).split('\r\n\r\n');
    const [status, ...headers] = head.replace(/\r\nDate: [^\r]+/, '').split('\r\n');
    expect(status).toBe('HTTP/1.1 403 Forbidden');
    expect(headers.toSorted()).toEqual([
      'Connection: close',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'cache-control: no-store',
      'content-type: application/problem+json',
      'x-content-type-options: nosniff',
    ]);
    expect(JSON.parse(body)).toMatchObject({ type: '/problems/host_not_allowed' });
  });

  it('counts what it refuses by Host and Origin', async () => {
    await ask({ path: '/v1/gateway', headers: { host: 'evil.example' } });
    const headers = { origin: 'http://evil.example' };
    await ask({ path: '/v1/uplinks/plant/pause', method: 'POST', headers });
    expect(api.metrics.observed).toEqual([
      { route: 'none', method: 'GET', status: 403 },
      { route: 'none', method: 'POST', status: 403 },
    ]);
  });

  it('says what to ask for instead of a host name it does not answer to', async () => {
    const { status, headers, body } = await ask({ path: '/v1/gateway', headers: { host: `evil.example:${port}` } });
    expect([status, headers['content-type']]).toEqual([403, 'application/problem+json']);
    expect(JSON.parse(body)).toMatchObject({
      type: '/problems/host_not_allowed',
      detail: expect.stringContaining(`http://localhost:${port}/`),
    });
  });

  it.each(['http://evil.example', 'null', 'http://localhost:1'])(
    'lets no page of %s change anything',
    async (origin) => {
      const pause = { path: '/v1/uplinks/plant/pause', method: 'POST', headers: { origin } };
      const { status, body } = await ask(pause);
      expect([status, JSON.parse(body).type]).toEqual([403, '/problems/origin_not_allowed']);
      expect(api.views.uplinks.list()[0]?.link.state).toBe('up');
    },
  );

  it('lets its own page and programs change things', async () => {
    const pause = { path: '/v1/uplinks/plant/pause', method: 'POST' };
    expect((await ask({ ...pause, headers: { origin: `http://127.0.0.1:${port}` } })).status).toBe(200);
    expect((await ask(pause)).status).toBe(200);
  });

  it('does not serve what is for the control socket', async () => {
    expect((await ask({ path: '/control/devices' })).status).toBe(404);
  });

  it('takes a body in pieces up to its limit and no further', async () => {
    const socket = await open(
      `POST /v1/uplinks/plant/pause HTTP/1.1\r\nHost: localhost:${port}\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    const chunk = `4000\r\n${'x'.repeat(0x4000)}\r\n`;
    for (let count = 0; count < 8; count += 1) socket.write(chunk);
    const { promise, resolve } = Promise.withResolvers<string>();
    socket.once('data', (bytes) => resolve(bytes.toString()));
    expect(await promise).toMatch(/^HTTP\/1.1 413 /);
  });

  it('says what to do when the port is taken', async () => {
    const second = newServer({
      listeners: [{ host: '127.0.0.1', port, anonymous: true }],
      controlSocket: join(directory, 'second'),
    });
    await expect(second.start()).rejects.toMatchObject({
      code: 'port_in_use',
      message: `port ${port} on 127.0.0.1 is in use`,
      hint: expect.stringContaining('api.listeners'),
    });
    await second.stop();
  });

  it('says which address is none of this machine', async () => {
    const second = newServer({ listeners: [{ host: '192.0.2.1', port: 0, anonymous: true }] });
    await expect(second.start()).rejects.toMatchObject({ code: 'address_not_available' });
    await second.stop();
  });

  it('listens on IPv6 too', async () => {
    const second = newServer({
      listeners: [{ host: '::1', port: 0, anonymous: true }],
      controlSocket: join(directory, 'second'),
    });
    await second.start();
    const address = second.addresses()[0];
    expect((await ask({ host: '::1', port: address?.port, path: '/health/live' })).status).toBe(200);
    await second.stop();
  });
});

describe('the control socket', () => {
  it('serves its owner, and only its owner', async () => {
    expect(statSync(controlSocket).mode & 0o777).toBe(0o600);
    const { status, body } = await ask({ socketPath: controlSocket, path: '/control/devices' });
    expect([status, body]).toEqual([200, '{"devices":[]}']);
    const headers = { 'content-type': 'application/json' };
    const add = { socketPath: controlSocket, path: '/control/devices', method: 'POST', headers };
    expect((await ask(add, '{"id":"pump"}')).status).toBe(201);
    expect((await ask({ socketPath: controlSocket, path: '/control/devices/pump', method: 'DELETE' })).status).toBe(
      204,
    );
    expect((await ask({ socketPath: controlSocket, path: '/v1/gateway' })).status).toBe(200);
  });

  it('replaces what a killed daemon left behind', async () => {
    const left = createServer().listen(join(directory, 'stale'));
    await vi.waitFor(() => expect(existsSync(join(directory, 'stale'))).toBe(true));
    const second = newServer({ controlSocket: join(directory, 'stale') });
    await second.start();
    const { status } = await ask({ socketPath: join(directory, 'stale'), path: '/health/live' });
    expect(status).toBe(200);
    await second.stop();
    left.close();
  });

  it('leaves a file alone that is no socket', async () => {
    const path = join(directory, 'precious');
    writeFileSync(path, 'data');
    const second = newServer({ controlSocket: path });
    await expect(second.start()).rejects.toMatchObject({ code: 'control_socket_failed' });
    await second.stop();
    expect(statSync(path).isFile()).toBe(true);
  });

  it('says what to do when its path is too long', async () => {
    const long = join(directory, 'x'.repeat(110));
    mkdirSync(long);
    for (const path of [long, join(long, 's')]) {
      const second = newServer({ controlSocket: path });
      await expect(second.start()).rejects.toMatchObject({ hint: expect.stringContaining('gateway.dataDir') });
      await second.stop();
    }
  });

  it('leaves nothing behind', async () => {
    expect(readdirSync(directory)).toEqual(['control.sock']);
    await server.stop();
    expect(readdirSync(directory)).toEqual([]);
  });
});

describe('connections that cannot be taken in', () => {
  it('are told once, and then summed up', async () => {
    const listening: EventEmitter[] = [];
    const onListen = (message: unknown): void => {
      listening.push((message as { server: EventEmitter }).server);
    };
    subscribe('tracing:net.server.listen:asyncEnd', onListen);
    const second = running.another({});
    await second.start();
    unsubscribe('tracing:net.server.listen:asyncEnd', onListen);
    for (let count = 0; count < 5; count += 1) listening[0]?.emit('error', new Error('accept EMFILE'));
    const told = () => api.logger.lines.filter(({ message }) => message.includes('a connection to the API failed'));
    expect(told()).toMatchObject([{ fields: { reason: 'accept EMFILE' } }]);
    await second.stop();
    expect(told()).toMatchObject([{}, { fields: { repeatedCount: 4 } }]);
  });
});

describe('stopping', () => {
  it('does not wait for clients that keep the connection, send slowly or say nothing', async () => {
    const host = `Host: localhost:${port}`;
    await open('');
    await open('GET /v1/gate');
    await open(`POST /v1/uplinks/plant/pause HTTP/1.1\r\n${host}\r\nContent-Length: 10\r\n\r\nx`);
    const kept = await open(`GET /health/live HTTP/1.1\r\n${host}\r\n\r\n`);
    await new Promise((resolve) => kept.once('data', resolve));
    await server.stop();
    await expect(ask({ path: '/health/live' })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('is safe before, after and without a start', async () => {
    await newServer().stop();
    await server.stop();
    await server.stop();
  });
});
