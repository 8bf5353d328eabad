/**
 * A lean HTTP load generator over raw sockets, in a process of its own: `node http-load.ts PORT PATH CONNECTIONS MS`.
 * Every connection is kept and has one request at a time; the result is one line of JSON.
 */

import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { LatencyHistogram } from '../support/latency.ts';

export interface HttpLoadResult {
  readonly requestCount: number;
  readonly requestsPerS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: *(\d+)/i;

const [port = '', path = '/', connections = '', durationMs = ''] = process.argv.slice(2);
const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nAccept: application/json\r\n\r\n`);
const latency = new LatencyHistogram();
let running = true;

/** Length of the answer at the beginning of the bytes; undefined while it is not whole. @throws Error unless it is 200 */
function answerLength(bytes: Buffer): number | undefined {
  const headLength = bytes.indexOf(HEAD_END) + HEAD_END.length;
  if (headLength < HEAD_END.length) return undefined;
  const head = bytes.toString('latin1', 0, headLength);
  const length = LENGTH.exec(head)?.[1];
  if (!head.startsWith('HTTP/1.1 200 ') || length === undefined) throw new Error(`unexpected answer: ${head}`);
  const whole = headLength + Number(length);
  return bytes.length >= whole ? whole : undefined;
}

function drive(socket: Socket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let pending: Buffer = Buffer.alloc(0);
  let sentAt = 0;
  const ask = (): void => {
    sentAt = performance.now();
    socket.write(request);
  };
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
    const length = answerLength(pending);
    if (length === undefined) return;
    latency.add(performance.now() - sentAt);
    pending = pending.subarray(length);
    if (running) ask();
    else socket.end(resolve);
  });
  socket.on('error', reject);
  socket.on('close', () => reject(new Error('the server closed the connection')));
  ask();
  return promise;
}

const sockets = await Promise.all(
  Array.from({ length: Number(connections) }, async () => {
    const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return socket;
  }),
);
const startedAt = performance.now();
setTimeout(() => {
  running = false;
}, Number(durationMs));
await Promise.all(sockets.map(drive));
const result: HttpLoadResult = {
  requestCount: latency.count,
  requestsPerS: Math.round(latency.count / ((performance.now() - startedAt) / 1000)),
  p50Ms: latency.percentileMs(0.5),
  p99Ms: latency.percentileMs(0.99),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
