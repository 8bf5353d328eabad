import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { connectBytes, packet, publishBytes, RawClient, type RawConnect } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const KIB = 1024;
const TOPIC = 'devices/meter/telemetry';

/** The gateway still serves. */
async function expectAlive({ port }: MqttHarness): Promise<void> {
  const client = await RawClient.connected(port, { clientId: 'alive' });
  client.send(publishBytes({ topic: TOPIC, payload: '1', qos: 1, packetId: 1 }));
  await client.next('puback');
  client.disconnect();
  await client.gone();
}

function warnings({ logger }: MqttHarness): readonly unknown[] {
  return logger.lines.filter(({ level }) => level === 'warn').map(({ fields, message }) => fields['reason'] ?? message);
}

afterEach(stopMqtt);

describe('packets that are too large', () => {
  it('end the connection by their first bytes, before they are buffered', async () => {
    const harness = await startMqtt();
    const client = await RawClient.connected(harness.port, { clientId: 'c' });
    client.send(Buffer.from('30ffffff7f0000', 'hex'));
    await client.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
    await expectAlive(harness);
  });

  it('are those over the limit with their header, not those at it', async () => {
    const harness = await startMqtt({ mqtt: { maxPacketSize: 1_000 } });
    const client = await RawClient.connected(harness.port, { clientId: 'c' });
    const publish = (size: number) => {
      const overhead = publishBytes({ topic: TOPIC, payload: 'x'.repeat(200), qos: 1, packetId: 1 }).length - 200;
      return publishBytes({ topic: TOPIC, payload: 'x'.repeat(size - overhead), qos: 1, packetId: 1 });
    };
    expect(publish(1_000).length).toBe(1_000);
    client.send(publish(1_000));
    await client.next('puback');
    client.send(publish(1_001));
    await client.gone();
    expect(harness.intake.stored.length).toBe(1);
  });

  it('are smaller ones before CONNECT was accepted', async () => {
    const harness = await startMqtt();
    const will = { topic: TOPIC, payload: 'x'.repeat(15 * KIB) };
    const client = await RawClient.open(harness.port);
    expect(await client.connect({ clientId: 'c', will })).toBe(0);
    const greedy = await RawClient.open(harness.port);
    greedy.send(connectBytes({ clientId: 'd', will: { ...will, payload: 'x'.repeat(17 * KIB) } }).subarray(0, 10));
    await greedy.gone();
    expect(warnings(harness)).toEqual(['packet_too_large']);
  });

  it('may follow CONNECT at once, up to the larger limit', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.open(port);
    const connected = client.connect({ clientId: 'c' });
    client.send(publishBytes({ topic: TOPIC, payload: 'x'.repeat(200 * KIB), qos: 1, packetId: 1 }));
    expect(await connected).toBe(0);
    await client.next('puback');
    expect(intake.stored[0]?.payload.length).toBe(200 * KIB);
  });
});

describe('bytes that are no MQTT', () => {
  it.each([
    ['a packet known to bring parsers down', '101000044d5154540502003c0321001400006202d301e0020020'],
    ['a malformed length', '10ffffffffff'],
    ['something else than CONNECT', '30050003612f6231'],
    ['a request over HTTP', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n').toString('hex')],
    ['a CONNECT that ends too early', '100600044d515454'],
    ['a CONNECT with a reserved flag', '100d00044d5154540403003c0001 61'],
    ['nothing', '00'],
  ])('end the connection: %s', async (_, bytes) => {
    const harness = await startMqtt();
    const client = await RawClient.open(harness.port);
    client.send(Buffer.from(bytes.replaceAll(' ', ''), 'hex'));
    await client.gone();
    await expectAlive(harness);
  });

  it.each([
    ['a second CONNECT', connectBytes({ clientId: 'c' })],
    ['a topic with a wildcard', publishBytes({ topic: 'devices/+/telemetry', payload: '1', qos: 1, packetId: 1 })],
    ['an empty topic', publishBytes({ topic: '', payload: '1', qos: 1, packetId: 1 })],
    ['a topic with a null character', publishBytes({ topic: 'a\0b', payload: '1', qos: 1, packetId: 1 })],
    ['a topic that is no UTF-8', packet(0x30, Buffer.from([0, 2, 0xc3, 0x28]))],
    ['a PUBLISH that is shorter than its topic', packet(0x30, Buffer.from([0, 9, 97]))],
    ['packet id 0', publishBytes({ topic: TOPIC, payload: '1', qos: 1, packetId: 0 })],
    ['QoS 3', publishBytes({ topic: TOPIC, payload: '1', qos: 3 as 2, packetId: 1 })],
    ['QoS 1 without room for a packet id', packet(0x32, Buffer.from([0, 1, 97]))],
    ['a SUBSCRIBE with wrong flags', packet(0x80, Buffer.from([0, 1, 0, 1, 97, 0]))],
    ['a reserved packet type', packet(0x00)],
    ['an AUTH', packet(0xf0, Buffer.from([0]))],
    ['a CONNACK', packet(0x20, Buffer.from([0]))],
  ])('end the connection of a client that was let in: %s', async (_, bytes) => {
    const harness = await startMqtt();
    const client = await RawClient.connected(harness.port, { clientId: 'c' });
    client.send(bytes);
    await client.gone();
    expect(harness.intake.stored).toEqual([]);
    await expectAlive(harness);
  });

  it('and a failure of our own end one connection, not the gateway', async () => {
    const harness = await startMqtt();
    const accept = harness.intake.accept.bind(harness.intake);
    harness.intake.accept = () => {
      throw new Error('a bug');
    };
    const client = await RawClient.connected(harness.port, { clientId: 'c' });
    client.send(publishBytes({ topic: TOPIC, payload: '1', qos: 1, packetId: 1 }));
    await client.gone();
    expect(warnings(harness)).toEqual(['the MQTT broker failed']);
    harness.intake.accept = accept;
    await expectAlive(harness);
  });

  it('never stop the gateway, whatever they are', async () => {
    const harness = await startMqtt({ mqtt: { maxPacketSize: 300 } });
    const fragment = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 40 })).map(([first, body]) => packet(first, Buffer.from(body))),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(fragment, { maxLength: 6 }), fc.boolean(), async (fragments, letIn) => {
        const client = await RawClient.open(harness.port);
        if (letIn) await client.connect({ clientId: 'fuzz' });
        client.send(...fragments);
        client.socket.end();
        await client.gone();
      }),
      { numRuns: 300 },
    );
    await expectAlive(harness);
    await waitFor(() => harness.source.clientCount() === 0, { what: 'no client left', timeoutMs: 5_000 });
  });
});

describe('versions', () => {
  it.each<[string, Partial<RawConnect>]>([
    ['MQTT 5', { level: 5 }],
    ['a level nobody knows', { level: 77 }],
    ['MQTT 3.1 under the name of 3.1.1', { level: 3 }],
  ])('that are not spoken are refused with code 1: %s', async (_, changes) => {
    const { logger, port } = await startMqtt();
    const client = await RawClient.open(port);
    expect(await client.connect({ clientId: 'c', ...changes })).toBe(1);
    await client.gone();
    expect(logger.lines.at(-1)?.fields['hint']).toContain('mosquitto_pub -V mqttv311');
    expect(logger.lines.at(-1)?.fields['hint']).toContain('protocolVersion: 4');
  });

  it('that are spoken are 3.1.1, 3.1, and those of bridges', async () => {
    const { port } = await startMqtt();
    const spoken = [
      ['MQTT', 4],
      ['MQIsdp', 3],
      ['MQTT', 0x84],
      ['MQIsdp', 0x83],
    ] as const;
    for (const [protocol, level] of spoken) {
      const client = await RawClient.open(port);
      expect(await client.connect({ clientId: `c${level}`, protocol, level })).toBe(0);
      await client.ping();
    }
  });
});

describe('client ids', () => {
  it('may be empty in a clean session, each client gets its own', async () => {
    const { source, port } = await startMqtt();
    const clients = await Promise.all([1, 2].map(() => RawClient.connected(port, { clientId: '' })));
    for (const client of clients) await client.ping();
    expect(source.clientCount()).toBe(2);
  });

  it('must not be empty in a session that is kept', async () => {
    const { port } = await startMqtt();
    const client = await RawClient.open(port);
    expect(await client.connect({ clientId: '', clean: false })).toBe(2);
    await client.gone();
  });
});

describe('connections that come too fast', () => {
  it('wait, and leave the way free for those of other addresses', async () => {
    const { port } = await startMqtt({ mqtt: { maxConnectRate: 20 } });
    const order: string[] = [];
    const connect = async (address: string, clientId: string): Promise<void> => {
      const client = await RawClient.open(port, address);
      expect(await client.connect({ clientId })).toBe(0);
      order.push(clientId);
    };
    const flood = Array.from({ length: 30 }, (_, index) => connect('127.0.0.1', `flood-${index}`));
    await waitFor(() => order.length === 4, { what: 'the first of the flood', timeoutMs: 5_000 });
    await Promise.all([connect('127.0.0.2', 'quiet'), ...flood]);
    expect(order.indexOf('quiet')).toBeLessThan(15);
  });
});

describe('too many clients', () => {
  it('are told so, and let in when there is room again', async () => {
    const { source, logger, port } = await startMqtt({ mqtt: { maxClients: 3 } });
    const clients: RawClient[] = [];
    for (let n = 0; n < 3; n += 1) clients.push(await RawClient.connected(port, { clientId: `c${n}` }));
    for (let n = 0; n < 5; n += 1) {
      const refused = await RawClient.open(port);
      expect(await refused.connect({ clientId: `more${n}` })).toBe(3);
      await refused.gone();
    }
    expect(source.clientCount()).toBe(3);
    expect(logger.lines.filter(({ message }) => message.includes('too many clients')).length).toBe(1);
    clients[0]?.disconnect();
    await waitFor(() => source.clientCount() === 2, { what: 'room', timeoutMs: 5_000 });
    const client = await RawClient.open(port);
    expect(await client.connect({ clientId: 'late' })).toBe(0);
  });

  it('that say nothing are closed too', async () => {
    const { port } = await startMqtt({ mqtt: { maxClients: 0 } });
    const silent = await RawClient.open(port);
    await silent.gone();
  });
});

describe('slow clients', () => {
  it('that never finish their CONNECT are closed', async () => {
    const { port } = await startMqtt({ mqtt: { connectTimeout: 100 } });
    const client = await RawClient.open(port);
    client.send(connectBytes({ clientId: 'c' }).subarray(0, 5));
    await client.gone();
  });

  it('that do not read are disconnected, while others get everything', async () => {
    const { source, port } = await startMqtt({ mqtt: { drainTimeout: 300 } });
    const frozen = await RawClient.connected(port, { clientId: 'frozen' });
    await frozen.subscribe(['big/#', 1]);
    frozen.socket.pause();
    const reader = await RawClient.connected(port, { clientId: 'reader' });
    await reader.subscribe(['big/#', 1], ['small', 1]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    const payload = 'x'.repeat(100 * KIB);
    let sent = 0;
    while (source.clientCount() === 3) {
      sent += 1;
      publisher.send(publishBytes({ topic: 'big/x', payload, qos: 1, packetId: (sent % 65_535) + 1 }));
      await publisher.next('puback');
      publisher.send(publishBytes({ topic: 'small', payload: 'x', qos: 1, packetId: (sent % 65_535) + 1 }));
      await publisher.next('puback');
      await waitFor(() => reader.messages().length === 2, { what: 'both messages', timeoutMs: 5_000, everyMs: 1 });
      reader.received.length = 0;
    }
    expect(source.clientCount()).toBe(2);
  });

  it('that do not read get no more than a bounded amount, and are served again when they do', async () => {
    const harness = await startMqtt();
    const slow = await RawClient.connected(harness.port, { clientId: 'slow', clean: false });
    await slow.subscribe(['big', 1], ['small', 0]);
    slow.socket.pause();
    const publisher = await RawClient.connected(harness.port, { clientId: 'p' });
    const payload = 'x'.repeat(100 * KIB);
    const withheld = 'message not handed to an MQTT client: it reads too slowly';
    for (let n = 1; n < 500 && !warnings(harness).includes(withheld); n += 1) {
      publisher.send(publishBytes({ topic: 'big', payload, qos: 1, packetId: n }));
      await publisher.next('puback');
    }
    expect(warnings(harness)).toContain(withheld);
    slow.socket.resume();
    await slow.ping();
    publisher.send(publishBytes({ topic: 'small', payload: 'x' }));
    await waitFor(() => slow.messages().at(-1) === 'small x q0', { what: 'a message', timeoutMs: 5_000 });
  });
});

describe('topics with too many levels', () => {
  it('are acknowledged, not stored, and counted as denied; as filters they are denied', async () => {
    const harness = await startMqtt({ mqtt: { maxTopicLevels: 4 } });
    const client = await RawClient.connected(harness.port, { clientId: 'c' });
    client.send(publishBytes({ topic: 'devices/a/telemetry/b', payload: '1', qos: 1, packetId: 1 }));
    client.send(publishBytes({ topic: 'devices/a/telemetry/b/c', payload: '2', qos: 1, packetId: 2 }));
    await client.next('puback');
    await client.next('puback');
    expect(harness.intake.payloads()).toEqual(['1']);
    expect(harness.source.deniedCount()).toBe(1);
    const filters = ['a/b/c/d', 'a/b/c/d/e', 'a/+b', 'x'.repeat(1_024), 'x'.repeat(1_025)];
    const codes = await client.subscribe(...filters.map((filter) => [filter, 0] as const));
    expect(codes).toEqual([0, 0x80, 0x80, 0, 0x80]);
    expect(warnings(harness)).toEqual(['too_many_levels', 'too_many_levels', 'invalid_filter', 'too_long']);
  });

  it('end the connection when they are absurd', async () => {
    const harness = await startMqtt();
    const client = await RawClient.connected(harness.port, { clientId: 'c' });
    client.send(publishBytes({ topic: '/'.repeat(5_000), payload: '1', qos: 1, packetId: 1 }));
    await client.gone();
    await expectAlive(harness);
  });
});

describe('sessions with very many subscriptions', () => {
  it('are denied what goes beyond the share of their device, and keep the rest over a restart', async () => {
    const harness = await startMqtt();
    harness.access.secrets.set('meter', 'a secret');
    const login = { clean: false, username: 'meter', password: 'a secret' };
    const filter = (i: number) => `devices/meter/${i}/${'x/'.repeat(12)}${'y'.repeat(900)}`;
    const one = await RawClient.connected(harness.securePort, { ...login, clientId: 'one' });
    const codes: number[] = [];
    for (let page = 0; page < 8; page += 1) {
      const filters = Array.from({ length: 100 }, (_, i) => [filter(100 * page + i), 1] as const);
      codes.push(...(await one.subscribe(...filters)));
    }
    const grantedCount = codes.indexOf(0x80);
    expect(grantedCount).toBeGreaterThan(100);
    expect(codes.slice(grantedCount).every((code) => code === 0x80)).toBe(true);
    expect(await one.subscribe([filter(0), 1])).toEqual([1]);
    const two = await RawClient.connected(harness.securePort, { ...login, clientId: 'two' });
    expect(await two.subscribe([filter(0), 1])).toEqual([0x80]);
    const trusted = await RawClient.connected(harness.port, { clean: false, clientId: 'trusted' });
    expect(await trusted.subscribe([filter(0), 1])).toEqual([1]);
    expect(warnings(harness)).toContain('MQTT subscribe denied: no room in the sessions');
    await stopMqtt();
    const next = await startMqtt({ sessions: harness.sessions.reopened() });
    const rows = await harness.sessions.loadSessions(0, 10);
    expect(rows.map(({ subscriptions }) => subscriptions.length)).toEqual([grantedCount, 0, 1]);
    expect(warnings(next)).toEqual([]);
  });
});

describe('a client with very many subscriptions', () => {
  it.each([true, false])('keeps a bounded number of them (clean session: %s)', async (clean) => {
    const { port } = await startMqtt();
    const options = { clientId: 'c', clean };
    const client = await RawClient.connected(port, options);
    const filters = Array.from({ length: 20_000 }, (_, n) => [`t/${n}`, 1] as const);
    const codes = await client.subscribe(...filters);
    expect(codes.filter((code) => code === 1).length).toBe(1_000);
    expect(codes.filter((code) => code === 0x80).length).toBe(19_000);
    client.break();
    const again = await RawClient.connected(port, options);
    expect(again.sessionPresent).toBe(!clean);
    expect((await again.subscribe(['one/more', 1]))[0]).toBe(clean ? 1 : 0x80);
  });
});

describe('an address that cannot be listened on', () => {
  it('keeps the source from starting and says what to do', async () => {
    const port = await freePort();
    const listeners = [{ host: '127.0.0.1', port, anonymous: true }];
    await startMqtt({ mqtt: { listeners } });
    await expect(startMqtt({ mqtt: { listeners } })).rejects.toMatchObject({
      name: 'SluiceError',
      code: 'port_in_use',
      hint: expect.stringContaining('mqtt.listeners[0].port'),
    });
    const elsewhere = [{ host: '203.0.113.1', port: 0, anonymous: false }];
    await expect(startMqtt({ mqtt: { listeners: elsewhere } })).rejects.toMatchObject({
      code: 'address_not_available',
    });
  });

  it('leaves no other one open', async () => {
    const [taken, free] = [await freePort(), await freePort()];
    await startMqtt({ mqtt: { listeners: [{ host: '127.0.0.1', port: taken, anonymous: true }] } });
    const listeners = [free, taken].map((port) => ({ host: '127.0.0.1', port, anonymous: true }));
    await expect(startMqtt({ mqtt: { listeners } })).rejects.toMatchObject({ code: 'port_in_use' });
    await startMqtt({ mqtt: { listeners: [{ host: '127.0.0.1', port: free, anonymous: true }] } });
  });
});
