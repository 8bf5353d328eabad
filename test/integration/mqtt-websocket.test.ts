import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import { get } from 'node:http';
import { connect as connectTcp, type Socket } from 'node:net';
import { hostname } from 'node:os';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createWebSocketStream, type WebSocket } from 'ws';
import type { MqttListenerOptions } from '../../src/sources/mqtt/options.ts';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { connectBytes, publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { listenerFor, makeFiles, openWebSocket, type TestFiles } from '../support/mqtt-transports.ts';
import { waitFor } from '../support/wait-for.ts';

const KIB = 1024;
const TOPIC = 'devices/meter/telemetry';

let files: TestFiles;

beforeAll(() => {
  files = makeFiles();
});
afterEach(stopMqtt);
afterAll(() => files.remove());

async function start(changes: Partial<MqttListenerOptions> = {}, mqtt = {}): Promise<MqttHarness> {
  return await startMqtt({ mqtt: { listeners: [{ ...listenerFor('ws', files), ...changes }], ...mqtt } });
}

async function open({ port }: MqttHarness): Promise<{ webSocket: WebSocket; client: RawClient }> {
  const webSocket = await openWebSocket(`ws://127.0.0.1:${port}/mqtt`);
  const stream = createWebSocketStream(webSocket);
  webSocket.once('close', () => stream.destroy());
  return { webSocket, client: RawClient.over(stream) };
}

function warnings({ logger }: MqttHarness): readonly unknown[] {
  return logger.lines.filter(({ level }) => level === 'warn').map(({ fields, message }) => fields['reason'] ?? message);
}

/** Closed in whichever way: a reset is one too. */
async function gone(socket: Socket): Promise<void> {
  await waitFor(() => socket.closed, { what: 'the end of the connection', timeoutMs: 10_000 });
}

function publish(n: number): Buffer {
  return publishBytes({ topic: TOPIC, payload: `${n}`, qos: 1, packetId: n });
}

describe('messages of a WebSocket', () => {
  it('may be in fragments', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    const bytes = Buffer.concat([connectBytes({ clientId: 'c' }), publish(1)]);
    for (const byte of bytes.subarray(0, -1)) webSocket.send(Buffer.from([byte]), { fin: false });
    webSocket.send(bytes.subarray(-1));
    await client.next('puback');
    expect(harness.intake.payloads()).toEqual(['1']);
  });

  it('may each hold a part of a packet, or several packets', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    const bytes = Buffer.concat([connectBytes({ clientId: 'c' }), publish(1), publish(2), publish(3)]);
    webSocket.send(bytes.subarray(0, 7));
    webSocket.send(bytes.subarray(7, -20));
    webSocket.send(bytes.subarray(-20));
    await waitFor(() => client.ids('puback').length === 3, { what: 'three PUBACKs', timeoutMs: 5_000 });
    expect(harness.intake.payloads()).toEqual(['1', '2', '3']);
  });

  it('must be binary', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    webSocket.send(connectBytes({ clientId: 'c' }).toString('latin1'));
    await client.gone();
    expect(warnings(harness)).toEqual(['not_binary']);
    expect(client.received).toEqual([]);
  });

  it('end the connection by their first bytes when they are too large', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    webSocket.send(Buffer.alloc(513 * KIB, publish(1)));
    await client.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
    expect(harness.intake.stored).toEqual([]);
  });

  it('end the connection when they are too large in all their fragments together', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    for (let n = 0; n < 6; n += 1) webSocket.send(Buffer.alloc(100 * KIB), { fin: false });
    await client.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
  });

  it('end the connection when they are in too many pieces', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    for (let n = 0; n < 9_000; n += 1) webSocket.send(Buffer.from([0]), { fin: false });
    await client.gone();
    expect(warnings(harness)).toEqual(['malformed_frame']);
  });

  it('hold no more than a CONNECT may before there was one, also when they are not complete', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    const will = { topic: TOPIC, payload: 'x'.repeat(15 * KIB) };
    webSocket.send(connectBytes({ clientId: 'c', will }), { fin: false });
    for (let n = 0; n < 50; n += 1) webSocket.send(Buffer.alloc(8 * KIB), { fin: false });
    await client.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
  });

  it('end the connection when they are no WebSocket', async () => {
    const harness = await start();
    const socket = connectTcp({ port: harness.port, host: '127.0.0.1' });
    const key =
      'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt';
    socket.on('error', () => undefined);
    socket.write(`GET /mqtt HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n${key}\r\n\r\n`);
    await once(socket, 'data');
    socket.write(Buffer.from('ffffffffffffffff', 'hex'));
    await gone(socket);
    expect(warnings(harness)).toEqual(['malformed_frame']);
  });

  it('leave pings their answers, as many as a client reads', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    webSocket.ping('are you there');
    expect(String((await once(webSocket, 'pong'))[0])).toBe('are you there');
  });

  it('end with a close that is answered', async () => {
    const harness = await start();
    const { webSocket, client } = await open(harness);
    expect(await client.connect({ clientId: 'c' })).toBe(0);
    client.disconnect();
    await once(webSocket, 'close');
    await waitFor(() => harness.source.clientCount() === 0, { what: 'no client', timeoutMs: 5_000 });
  });
});

describe('what is asked of a WebSocket listener', () => {
  async function refusal(url: string, options: { origin?: string; protocol?: string; host?: string } = {}) {
    const { origin, protocol = 'mqtt', host } = options;
    const headers = host === undefined ? {} : { host };
    return await openWebSocket(url, { headers, ...(origin === undefined ? {} : { origin }) }, protocol).then(
      (webSocket) => {
        webSocket.terminate();
        return 'let in';
      },
      (error: Error) => error.message,
    );
  }

  it('must be at /mqtt, with the subprotocol mqtt', async () => {
    const harness = await start();
    const base = `ws://127.0.0.1:${harness.port}`;
    expect(await refusal(`${base}/mqtt?client=1`)).toBe('let in');
    expect(await refusal(`${base}/mqtt`, { protocol: 'mqttv3.1' })).toBe('let in');
    expect(await refusal(`${base}/other`)).toBe('Unexpected server response: 404');
    expect(await refusal(`${base}/mqtt`, { protocol: 'chat' })).toBe('Unexpected server response: 400');
    expect(harness.logger.lines.filter(({ message }) => message === 'WebSocket refused')).toMatchObject([
      { fields: { status: 404, hint: "set the client's path to /mqtt" } },
      { fields: { status: 400, hint: "set the client's subprotocol to mqtt" } },
    ]);
  });

  it('is not answered when it is a page', async () => {
    const { port } = await start();
    const request = get({ port, host: '127.0.0.1', path: '/mqtt' });
    const [response] = await once(request, 'response');
    response.resume();
    expect([response.statusCode, response.headers.upgrade]).toEqual([426, 'websocket']);
    await once(response, 'close');
  });

  it('is closed when it does not come in time, however it drips', async () => {
    const { port } = await start({}, { connectTimeout: 300 });
    const socket = connectTcp({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write('GET /mqtt HTTP/1.1\r\n');
    const drip = setInterval(() => socket.write('A: b\r\n'), 50);
    await gone(socket).finally(() => clearInterval(drip));
  });

  it('is refused when its headers are too large', async () => {
    const { port } = await start();
    const socket = connectTcp({ port, host: '127.0.0.1' });
    socket.on('error', () => undefined);
    socket.write(`GET /mqtt HTTP/1.1\r\nHost: x\r\nA: ${'x'.repeat(9 * KIB)}\r\n\r\n`);
    expect(String((await once(socket, 'data'))[0])).toContain(' 431 ');
    await gone(socket);
  });

  it('must not come from a foreign page', async () => {
    const harness = await start({ allowedOrigins: ['https://panel.example'] });
    const { port } = harness;
    const url = `ws://127.0.0.1:${port}/mqtt`;
    const forbidden = 'Unexpected server response: 403';
    expect(await refusal(url, { origin: 'https://evil.example' })).toBe(forbidden);
    expect(await refusal(url, { origin: 'null' })).toBe(forbidden);
    expect(await refusal(url, { origin: `http://127.0.0.1:${port + 1}` })).toBe(forbidden);
    // DNS rebinding: the name of the page leads here.
    expect(await refusal(url, { origin: `http://evil.example:${port}`, host: `evil.example:${port}` })).toBe(forbidden);
    expect(harness.logger.lines[1]?.fields).toMatchObject({
      reason: 'a page of https://evil.example may not connect',
      hint: 'if it is yours, add its origin to mqtt.listeners[0].allowedOrigins',
    });
    expect(await refusal(url, { origin: `http://127.0.0.1:${port}` })).toBe('let in');
    expect(await refusal(url, { origin: 'https://panel.example' })).toBe('let in');
    const own = `${hostname()}.local:${port}`;
    expect(await refusal(url, { origin: `https://${own}`, host: own })).toBe('let in');
  });

  it('may come by any name where it must log in', async () => {
    const { port } = await start({ anonymous: false });
    const host = `gateway.example:${port}`;
    expect(await refusal(`ws://127.0.0.1:${port}/mqtt`, { origin: `https://${host}`, host })).toBe('let in');
  });
});
