import { Buffer } from 'node:buffer';
import { connect, type Socket } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { stopMqtt } from '../support/mqtt-harness.ts';
import { connectBytes } from '../support/mqtt-raw-client.ts';
import { makeFiles, openRaw, startTransport, type TestFiles } from '../support/mqtt-transports.ts';
import { waitFor } from '../support/wait-for.ts';

const UPGRADE = Buffer.from(
  [
    'GET /mqtt HTTP/1.1',
    'Host: 127.0.0.1',
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    'Sec-WebSocket-Protocol: mqtt',
    '\r\n',
  ].join('\r\n'),
);
/** The beginning of a ClientHello. */
const HELLO = Buffer.from('16030100c8010000c40303', 'hex');

let files: TestFiles;

beforeAll(() => {
  files = makeFiles();
});
afterEach(stopMqtt);
afterAll(() => files.remove());

/** A masked frame, as clients send them; the mask is 0. */
function frame(first: number, payload: Uint8Array): Buffer {
  return Buffer.concat([
    Buffer.from([first, 0x80 | Math.min(payload.length, 125), 0, 0, 0, 0]),
    payload.subarray(0, 125),
  ]);
}

const bytes = fc.uint8Array({ maxLength: 60 }).map((piece) => Buffer.from(piece));
const fragment = fc.oneof(
  bytes,
  fc.tuple(fc.nat(255), bytes).map(([first, payload]) => frame(first, payload)),
  fc.constant(frame(0x82, connectBytes({ clientId: 'fuzz', keepAliveS: 1 }))),
);

/** Sends it and goes away, in good order or not. */
async function attack(port: number, pieces: readonly Buffer[], ending: 'end' | 'reset' | 'wait'): Promise<void> {
  const socket: Socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => undefined);
  socket.resume();
  for (const piece of pieces) socket.write(piece);
  if (ending === 'end') socket.end();
  if (ending === 'reset') socket.once('connect', () => socket.resetAndDestroy());
  await waitFor(() => socket.closed, { what: 'the end of the connection', timeoutMs: 10_000, everyMs: 2 });
}

describe.each([
  ['tls', HELLO],
  ['ws', UPGRADE],
  ['wss', HELLO],
] as const)('bytes of any kind, sent to a listener for %s', (transport, opening) => {
  it('never stop the gateway, and leave no place taken', async () => {
    const harness = await startTransport(transport, files, { maxClients: 20, connectTimeout: 1_000 });
    const ending = fc.constantFrom('end', 'reset', 'wait');
    const attempt = fc.tuple(fc.boolean(), fc.array(fragment, { maxLength: 5 }), ending);
    await fc.assert(
      fc.asyncProperty(fc.array(attempt, { minLength: 50, maxLength: 50 }), async (attempts) => {
        const attacks = attempts.map(([opened, pieces, how]) =>
          attack(harness.port, opened ? [opening, ...pieces] : pieces, how),
        );
        await Promise.all(attacks);
      }),
      { numRuns: 2, endOnFailure: true },
    );
    await waitFor(() => harness.source.clientCount() === 0, { what: 'no client left', timeoutMs: 5_000 });
    for (let n = 0; n < 20; n += 1) {
      const client = await openRaw({ transport, port: harness.port, files });
      expect(await client.connect({ clientId: `c${n}` })).toBe(0);
    }
    expect(harness.source.clientCount()).toBe(20);
  });
});
