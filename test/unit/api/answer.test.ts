import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, describe, expect, it } from 'vitest';
import { Answer } from '../../../src/api/answer.ts';

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** The head of what the listener answers, line by line. */
async function headOf(listener: (answer: Answer) => void): Promise<readonly string[]> {
  const server = createServer({ ServerResponse: Answer }, (_request, answer) => {
    answer.sendDate = false;
    listener(answer as Answer);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
  const [head = ''] = (await text(socket)).split('\r\n\r\n');
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
