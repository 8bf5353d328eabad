import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Answer } from '../../../src/api/answer.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** All that the listener answers to one request. */
async function wholeOf(listener: (answer: Answer) => void): Promise<string> {
  const server = createServer({ ServerResponse: Answer }, (_request, answer) => {
    answer.sendDate = false;
    listener(answer as Answer);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  return text(socket);
}

/** The head of it, line by line. */
async function headOf(listener: (answer: Answer) => void): Promise<readonly string[]> {
  const [head = ''] = (await wholeOf(listener)).split('\r\n\r\n');
  return head.split('\r\n');
}

const EVERY = ['cache-control: no-store', 'x-content-type-options: nosniff'];

describe('the head of every answer', () => {
  it('is the same with headers as an object, as a list and behind a reason', async () => {
    const expected = ['HTTP/1.1 400 Bad Request', ...EVERY, 'Connection: close', 'Transfer-Encoding: chunked'];
    expect(await headOf((answer) => answer.writeHead(400, { Connection: 'close' }).end())).toEqual(expected);
    expect(await headOf((answer) => answer.writeHead(400, ['Connection', 'close']).end())).toEqual(expected);
    const [, ...headers] = expected;
    const odd = ['HTTP/1.1 400 Odd', ...headers];
    expect(await headOf((answer) => answer.writeHead(400, 'Odd', { Connection: 'close' }).end())).toEqual(odd);
    expect(await headOf((answer) => answer.writeHead(400, 'Odd', ['Connection', 'close']).end())).toEqual(odd);
  });

  it('lets a header that is given in lower case, as the API does, take its place', async () => {
    const given = { 'cache-control': 'max-age=60', Connection: 'close' };
    const head = await headOf((answer) => answer.writeHead(200, given).end());
    expect(head.filter((line) => /^cache-control/i.test(line))).toEqual(['cache-control: max-age=60']);
  });
});

describe('the end of an answer', () => {
  const CLOSING = { Connection: 'close' };

  it('comes behind what was written, and its callback behind it', async () => {
    const { promise: wholeSent, resolve } = Promise.withResolvers<void>();
    const whole = await wholeOf((answer) => {
      answer.writeHead(200, { ...CLOSING, 'content-length': 6 }).write('one');
      answer.end('7477c3', 'hex', resolve);
    });
    expect(whole).toMatch(/\r\n\r\nonetw\ufffd$/);
    await wholeSent;
  });

  it('is held until the turn of the event loop is over', async () => {
    const pending: (number | undefined)[] = [];
    await wholeOf((answer) => {
      const { socket } = answer;
      answer.writeHead(200, CLOSING).end('later');
      pending.push(socket?.bytesWritten);
      setImmediate(() => pending.push(socket?.bytesWritten));
    });
    expect(pending).toEqual([0, expect.any(Number)]);
    expect(pending[1]).toBeGreaterThan(0);
  });

  it('does no harm when nobody is there any more', async () => {
    const whole = await wholeOf((answer) => {
      answer.writeHead(200, CLOSING).end('nobody');
      answer.destroy();
    });
    expect(whole).toBe('');
  });
});
