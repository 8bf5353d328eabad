import { createServer, type Server, type ServerOptions } from 'node:http';
import { type AddressInfo, connect, Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Answer } from '../../../src/api/answer.ts';
import { answerUnread } from '../../../src/api/unread-requests.ts';
import { RunningApi } from '../../support/api-server.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function runningPort(): Promise<number> {
  const running = new RunningApi();
  closing.push(() => running.dispose());
  await running.server.start();
  return running.port();
}

/** A server of Node with this on it; it answers with the first half of a body. */
async function halfAnswering(options: ServerOptions = {}): Promise<Server> {
  const server = createServer({ ...options, ServerResponse: Answer }, (_request, answer) => {
    answer.writeHead(200, { 'content-length': '10' }).write('first');
  });
  answerUnread(server);
  closing.push(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

/** Until the gateway closes the connection. */
async function answerTo(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  closing.push(() => socket.destroy());
  socket.write(bytes);
  return text(socket);
}

function parse(answer: string) {
  const [head = '', body = ''] = answer.split('\r\n\r\n');
  const [status = '', ...headers] = head.replace(/\r\nDate: [^\r]+/, '').split('\r\n');
  return { status, headers: headers.map((line) => line.toLowerCase()), body };
}

describe('a request that Node refuses', () => {
  it.each([
    ['HTTP/1.1 400 Bad Request', 'bad_request', 'rubbish\r\n\r\n'],
    ['HTTP/1.1 400 Bad Request', 'bad_request', 'GET / HTTP/1.1\r\nHost: localhost\r\nX: \u0001\r\n\r\n'],
    [
      'HTTP/1.1 417 Expectation Failed',
      'expectation_failed',
      'GET / HTTP/1.1\r\nHost: localhost\r\nExpect: foo\r\n\r\n',
    ],
    [
      'HTTP/1.1 431 Request Header Fields Too Large',
      'headers_too_large',
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    ],
  ])('is answered %s as the problem %s, and the connection closed', async (status, code, bytes) => {
    const answer = parse(await answerTo(await runningPort(), bytes));
    expect(answer.status).toBe(status);
    expect(answer.headers.toSorted()).toEqual([
      'cache-control: no-store',
      'connection: close',
      `content-length: ${Buffer.byteLength(answer.body)}`,
      'content-type: application/problem+json',
      'x-content-type-options: nosniff',
    ]);
    expect(JSON.parse(answer.body)).toMatchObject({ type: `/problems/${code}`, detail: expect.stringMatching(/\.$/) });
  });

  it('is answered when it does not come whole in time', async () => {
    const limits = { headersTimeout: 20, requestTimeout: 20, connectionsCheckingInterval: 10 };
    const answer = parse(await answerTo(portOf(await halfAnswering(limits)), 'GET / HTTP/1.1\r\nHost: x\r\n'));
    expect(answer.status).toBe('HTTP/1.1 408 Request Timeout');
    expect(JSON.parse(answer.body)).toMatchObject({ type: '/problems/request_timeout' });
  });

  it('does not get into the middle of another answer', async () => {
    const socket = connect(portOf(await halfAnswering()), '127.0.0.1');
    closing.push(() => socket.destroy());
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [first] = (await new Promise<Buffer[]>((resolve) => socket.once('data', (bytes) => resolve([bytes])))) ?? [];
    const rest = text(socket);
    socket.write('rubbish\r\n\r\n');
    const parts = [first?.toString() ?? '', await rest].join('').split('\r\n\r\n');
    expect([parts.length, parts[1]]).toEqual([2, 'first']);
  });

  it('is not answered in the place of a request before it whose answer is still to come', async () => {
    const server = createServer({ ServerResponse: Answer }, () => socket.write('rubbish\r\n\r\n'));
    answerUnread(server);
    closing.push(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect(portOf(server), '127.0.0.1');
    closing.push(() => socket.destroy());
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}');
    expect(await text(socket)).toBe('');
  });

  it('needs nobody who still listens', async () => {
    const server = await halfAnswering();
    const dead = new Socket();
    dead.destroy();
    for (const code of ['HPE_INVALID_METHOD', 'ECONNRESET', 'ERR_SSL_HTTP_REQUEST']) {
      const error = Object.assign(new Error('gone'), { code });
      expect(() => server.emit('clientError', error, dead)).not.toThrow();
    }
  });
});
