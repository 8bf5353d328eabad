import { Buffer } from 'node:buffer';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type MqttHarness, stopMqtt } from '../support/mqtt-harness.ts';
import { connectBytes, publishBytes, type RawClient, type RawConnect } from '../support/mqtt-raw-client.ts';
import { makeFiles, openRaw, startTransport, type TestFiles, TRANSPORTS } from '../support/mqtt-transports.ts';
import { waitFor } from '../support/wait-for.ts';

const KIB = 1024;
const TOPIC = 'devices/meter/telemetry';

let files: TestFiles;

beforeAll(() => {
  files = makeFiles();
});
afterEach(stopMqtt);
afterAll(() => files.remove());

function warnings({ logger }: MqttHarness): readonly unknown[] {
  return logger.lines.filter(({ level }) => level === 'warn').map(({ fields, message }) => fields['reason'] ?? message);
}

describe.each(TRANSPORTS)('MQTT over %s', (transport) => {
  const start = (mqtt = {}) => startTransport(transport, files, mqtt);
  const open = ({ port }: MqttHarness) => openRaw({ transport, port, files });

  async function connected(harness: MqttHarness, options: RawConnect): Promise<RawClient> {
    const client = await open(harness);
    expect(await client.connect(options)).toBe(0);
    return client;
  }

  it('stores, acknowledges and delivers messages of every QoS, up to the largest', async () => {
    const harness = await start();
    const reader = await connected(harness, { clientId: 'reader' });
    await reader.subscribe([TOPIC, 1]);
    const client = await connected(harness, { clientId: 'c' });
    const large = 'x'.repeat(200 * KIB);
    client.send(publishBytes({ topic: TOPIC, payload: 'none' }));
    client.send(publishBytes({ topic: TOPIC, payload: large, qos: 1, packetId: 1 }));
    client.send(publishBytes({ topic: TOPIC, payload: 'two', qos: 2, packetId: 2 }));
    await client.next('puback');
    await client.next('pubrec');
    expect(harness.intake.payloads()).toEqual(['none', large, 'two']);
    await waitFor(() => reader.messages().length === 3, { what: 'three messages', timeoutMs: 5_000 });
    const expected = ['none q0', `${large} q1`, 'two q1'].map((text) => `${TOPIC} ${text}`);
    expect(new Set(reader.messages())).toEqual(new Set(expected));
  });

  it('takes bytes that come one by one, and packets that come together', async () => {
    const harness = await start();
    const client = await open(harness);
    const publishes = [1, 2, 3].map((n) => publishBytes({ topic: TOPIC, payload: `${n}`, qos: 1, packetId: n }));
    for (const byte of connectBytes({ clientId: 'c' })) client.socket.write(Buffer.from([byte]));
    await client.next('connack');
    for (const byte of Buffer.concat(publishes)) client.socket.write(Buffer.from([byte]));
    client.send(...publishes);
    await waitFor(() => client.ids('puback').length === 6, { what: 'six PUBACKs', timeoutMs: 5_000 });
    expect(harness.intake.payloads()).toEqual(['1', '2', '3', '1', '2', '3']);
  });

  it('ends the connection by the first bytes of a packet that is too large', async () => {
    const harness = await start();
    const client = await connected(harness, { clientId: 'c' });
    client.send(Buffer.from('30ffffff7f0000', 'hex'));
    await client.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
  });

  it('takes less before CONNECT was accepted', async () => {
    const harness = await start();
    const will = { topic: TOPIC, payload: 'x'.repeat(17 * KIB) };
    const greedy = await open(harness);
    greedy.send(connectBytes({ clientId: 'd', will }).subarray(0, 10));
    await greedy.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
  });

  it('takes more behind CONNECT, before its answer', async () => {
    const harness = await start();
    const client = await open(harness);
    client.send(connectBytes({ clientId: 'c' }));
    client.send(publishBytes({ topic: TOPIC, payload: 'x'.repeat(200 * KIB), qos: 1, packetId: 1 }));
    await client.next('puback');
    expect(harness.intake.stored[0]?.payload.length).toBe(200 * KIB);
  });

  it('refuses MQTT 5 with code 1 and says what to set', async () => {
    const harness = await start();
    const client = await open(harness);
    expect(await client.connect({ clientId: 'c', level: 5 })).toBe(1);
    await client.gone();
    expect(harness.logger.lines.at(-1)).toMatchObject({
      message: 'MQTT 5 client refused',
      fields: { address: '127.0.0.1', hint: expect.stringContaining('mosquitto_pub -V mqttv311') },
    });
  });

  it('closes a client that never finishes its CONNECT', async () => {
    const client = await open(await start({ connectTimeout: 1_000 }));
    client.send(connectBytes({ clientId: 'c' }).subarray(0, 5));
    await client.gone();
  });

  it('tells clients beyond the limit, and lets them in when there is room', async () => {
    const harness = await start({ maxClients: 2 });
    const clients = [await connected(harness, { clientId: 'a' }), await connected(harness, { clientId: 'b' })];
    for (let n = 0; n < 3; n += 1) {
      const refused = await open(harness);
      expect(await refused.connect({ clientId: `more${n}` })).toBe(3);
      await refused.gone();
    }
    clients[0]?.disconnect();
    await waitFor(() => harness.source.clientCount() === 1, { what: 'room', timeoutMs: 5_000 });
    await connected(harness, { clientId: 'late' });
  });

  it('lets clients in that had to wait for their turn', async () => {
    const harness = await start({ maxConnectRate: 4 });
    const codes = Array.from({ length: 6 }, async (_, index) =>
      (await open(harness)).connect({ clientId: `c${index}` }),
    );
    expect(await Promise.all(codes)).toEqual([0, 0, 0, 0, 0, 0]);
    expect(warnings(harness)).toEqual(['MQTT connections come too fast: they wait for their turn']);
  });

  it('slows a client that sends too fast', async () => {
    const harness = await start({ maxPublishRate: 2 });
    const client = await connected(harness, { clientId: 'c' });
    for (let n = 1; n <= 5; n += 1) client.send(publishBytes({ topic: TOPIC, payload: `${n}`, qos: 1, packetId: n }));
    await waitFor(() => client.ids('puback').length >= 2, { what: 'a burst', timeoutMs: 5_000 });
    expect(harness.intake.stored.length).toBeLessThan(5);
    await waitFor(() => client.ids('puback').length === 5, { what: 'the rest', timeoutMs: 10_000 });
  });

  it('disconnects a subscriber that does not read', async () => {
    const harness = await start({ drainTimeout: 300 });
    const frozen = await connected(harness, { clientId: 'frozen' });
    await frozen.subscribe(['big', 1]);
    frozen.socket.pause();
    const publisher = await connected(harness, { clientId: 'p' });
    const payload = 'x'.repeat(100 * KIB);
    for (let n = 1; harness.source.clientCount() === 2; n += 1) {
      publisher.send(publishBytes({ topic: 'big', payload, qos: 1, packetId: (n % 65_535) + 1 }));
      await publisher.next('puback');
    }
    await publisher.ping();
  });

  it('acknowledges what is in flight when the gateway stops, and ends in good order', async () => {
    const harness = await start();
    const client = await connected(harness, { clientId: 'c' });
    harness.intake.hold();
    client.send(publishBytes({ topic: TOPIC, payload: '1', qos: 1, packetId: 7 }));
    await waitFor(() => harness.intake.waitingCount === 1, { what: 'the message', timeoutMs: 5_000 });
    const stopped = harness.source.stop();
    harness.intake.letGo();
    await stopped;
    await client.gone();
    expect(client.ids('puback')).toEqual([7]);
  });

  it('ends a connection when its device is removed', async () => {
    const harness = await start();
    harness.access.secrets.set('meter', 'a secret');
    const client = await connected(harness, { clientId: 'c', username: 'meter', password: 'a secret' });
    await harness.source.forget('meter');
    await client.gone();
  });
});
