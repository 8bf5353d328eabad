import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { loadKafkaClient } from '../../src/uplink/kafka/client-library.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { KAFKA_CLIENTS, kafkaOptions } from '../support/uplink-options.ts';

const BOUNDS = { deadlineMs: 3_000, signal: new AbortController().signal };
const CORRELATION_AT = 8;

/** Length and content, as Kafka frames its answers. */
function frame(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeInt32BE(body.byteLength);
  return Buffer.concat([length, body]);
}

const correlationIn = (request: Buffer): Buffer => request.subarray(CORRELATION_AT, CORRELATION_AT + 4);

const ANSWERS: Readonly<Record<string, (socket: Socket, request: Buffer) => void>> = {
  'ends the connection': (socket) => socket.end(),
  'resets the connection': (socket) => socket.resetAndDestroy(),
  'says nothing': () => undefined,
  'speaks HTTP': (socket) => socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
  'sends zeros': (socket) => socket.write(Buffer.alloc(64)),
  'sends a negative length': (socket) => socket.write(Buffer.alloc(64, 0xff)),
  'sends noise': (socket) => socket.write(randomBytes(500)),
  'answers with noise': (socket, request) => socket.write(frame(correlationIn(request), randomBytes(100))),
  'answers another question': (socket) => socket.write(frame(randomBytes(4), Buffer.alloc(100))),
  'answers too shortly': (socket, request) => socket.write(frame(correlationIn(request), Buffer.alloc(1))),
};

describe.each(KAFKA_CLIENTS)('%s', (library) => {
  it.each(Object.entries(ANSWERS))('takes no harm from a server that %s', async (_, answer) => {
    const server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.on('data', (request: Buffer) => answer(socket, request));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const create = await loadKafkaClient(library);
    const brokers = [`127.0.0.1:${port}`];
    const limits = { connectionTimeout: 1_000, requestTimeout: 500 };
    const client = create({ ...kafkaOptions({ brokers, ...limits }), logger: new MemoryLogger() });
    const thrown = await client.connect(BOUNDS).catch((error: unknown) => error);
    expect(client.judge(thrown, { topic: 'plant', brokers })).toMatchObject({
      kind: 'failure',
      error: { retryable: true },
    });
    await client.close(1_000);
    server.close();
    // Not before the client has left every connection.
    await once(server, 'close');
  });
});
