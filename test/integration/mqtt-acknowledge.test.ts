import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { packet, publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/telemetry';
const PINGREQ = packet(0xc0);

function numbered(count: number, qos: 0 | 1 | 2, topic = TOPIC): readonly Buffer[] {
  return Array.from({ length: count }, (_, index) =>
    publishBytes({ topic, payload: `${index + 1}`, qos, ...(qos > 0 && { packetId: index + 1 }) }),
  );
}

function range(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index + 1);
}

afterEach(stopMqtt);

describe('an acknowledgement', () => {
  it.each([
    [1, 'puback'],
    [2, 'pubrec'],
  ] as const)('of QoS %i comes only when the message is stored', async (qos, type) => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c' });
    intake.hold();
    client.send(...numbered(3, qos));
    await waitFor(() => intake.waitingCount === 3, { what: 'three messages at the door', timeoutMs: 5_000 });
    intake.letGo(2);
    await client.next(type);
    await client.next(type);
    expect(intake.payloads()).toEqual(['1', '2']);
    await new Promise(setImmediate);
    expect(client.ids(type)).toEqual([]);
    intake.letGo();
    expect((await client.next(type)).body.readUInt16BE(0)).toBe(3);
  });

  it('keeps the order of receipt, whatever becomes of the messages', async () => {
    const { intake, port } = await startMqtt();
    intake.refusal = (payload) => (Number(payload) % 5 === 0 ? 'not_json' : undefined);
    const client = await RawClient.connected(port, { clientId: 'c' });
    const topics = [TOPIC, 'plant/local', 'devices/meter/status', '$SYS/mine'];
    const packets = range(400).map((n) =>
      publishBytes({ topic: topics[n % 4] ?? '', payload: `${n}`, qos: 1, packetId: n }),
    );
    client.send(...packets);
    await waitFor(() => client.ids('puback').length === 400, { what: '400 acknowledgements', timeoutMs: 5_000 });
    expect(client.ids('puback')).toEqual(range(400));
  });

  it('waits for the turn of its device, and those behind it wait too, while everything is stored', async () => {
    const { intake, port } = await startMqtt();
    intake.rateWaitMs = (payload) => (payload === '2' ? 3_600_000 : 0);
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(...numbered(4, 1), PINGREQ);
    await client.next('pingresp');
    await waitFor(() => intake.payloads().length === 4, { what: 'four messages stored', timeoutMs: 5_000 });
    expect(client.ids('puback')).toEqual([1]);
    const other = await RawClient.connected(port, { clientId: 'other' });
    other.send(...numbered(1, 1));
    await other.next('puback');
  });

  it('that waits for its turn is given when the gateway stops', async () => {
    const { intake, port, source } = await startMqtt();
    intake.rateWaitMs = () => 3_600_000;
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(...numbered(3, 1));
    await waitFor(() => intake.payloads().length === 3, { what: 'three messages stored', timeoutMs: 5_000 });
    await source.stop();
    await waitFor(() => client.ids('puback').length === 3, { what: 'three acknowledgements', timeoutMs: 5_000 });
  });

  it('keeps the order of receipt for QoS 2, with subscribers and without', async () => {
    const { port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['devices/a/#', 1]);
    const client = await RawClient.connected(port, { clientId: 'c' });
    const packets = range(200).map((n) =>
      publishBytes({
        topic: `devices/${n % 2 === 0 ? 'a' : 'b'}/telemetry`,
        payload: `${n}`,
        qos: 2,
        packetId: n,
        retain: n % 3 === 0,
      }),
    );
    client.send(...packets);
    await waitFor(() => client.ids('pubrec').length === 200, { what: '200 PUBRECs', timeoutMs: 5_000 });
    expect(client.ids('pubrec')).toEqual(range(200));
  });

  it('of a refused message comes too, and the message still reaches local subscribers', async () => {
    const { intake, port } = await startMqtt();
    intake.refusal = () => 'not_json';
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe([TOPIC, 0]);
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(publishBytes({ topic: TOPIC, payload: 'bad', qos: 1, packetId: 1 }));
    await client.next('puback');
    await subscriber.next('publish');
    expect(intake.stored).toEqual([{ kind: 'refused', topic: TOPIC, payload: 'bad' }]);
  });

  it('of a message that no route knows comes too; it is delivered locally and counted', async () => {
    const { source, port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['plant/#', 0]);
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(publishBytes({ topic: 'plant/lamp', payload: 'on', qos: 1, packetId: 1 }));
    await client.next('puback');
    await subscriber.next('publish');
    expect(source.localCount()).toBe(1);
  });

  it('does not come when the store is gone: the connection is closed', async () => {
    const { intake, port } = await startMqtt();
    intake.accept = () => Promise.reject(new Error('the store died'));
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(...numbered(1, 1));
    await client.gone();
    expect(client.ids('puback')).toEqual([]);
  });

  it('is not needed for QoS 0, which is stored in the same order', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(...numbered(100, 0));
    client.disconnect();
    await waitFor(() => intake.stored.length === 100, { what: '100 messages', timeoutMs: 5_000 });
    expect(intake.payloads()).toEqual(range(100).map(String));
  });

  it('comes for everything that a client sends together with its CONNECT', async () => {
    const { port } = await startMqtt();
    const client = await RawClient.open(port);
    const packets = numbered(500, 1);
    const connected = client.connect({ clientId: 'eager' });
    client.send(...packets);
    expect(await connected).toBe(0);
    await waitFor(() => client.ids('puback').length === 500, { what: '500 acknowledgements', timeoutMs: 5_000 });
    expect(client.ids('puback')).toEqual(range(500));
  });

  it('that is withheld ends the connection after one and a half times the keep-alive', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', keepAliveS: 1 });
    intake.hold();
    client.send(...numbered(1, 1));
    await client.gone();
    expect(client.ids('puback')).toEqual([]);
  });

  it('that is withheld ends the connection of a client that goes on pinging too', async () => {
    const { intake, port, logger } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', keepAliveS: 1 });
    client.send(...numbered(2, 1));
    await waitFor(() => client.ids('puback').length === 2, { what: 'the acknowledgements', timeoutMs: 5_000 });
    intake.hold();
    client.send(publishBytes({ topic: TOPIC, payload: 'x', qos: 1, packetId: 3 }));
    const pings = setInterval(() => client.send(PINGREQ), 200);
    onTestFinished(() => clearInterval(pings));
    await client.gone();
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ clientId: 'c', reason: 'ack_withheld' }) }),
    );
  });

  it('that is a withheld PUBCOMP ends the connection too', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', keepAliveS: 1 });
    client.send(...numbered(1, 2));
    await client.next('pubrec');
    intake.hold();
    client.send(packet(0x62, Buffer.from([0, 1])));
    const pings = setInterval(() => client.send(PINGREQ), 200);
    onTestFinished(() => clearInterval(pings));
    await client.gone();
    expect(client.ids('pubcomp')).toEqual([]);
  });

  it('that is not needed lets a client that only pings stay', async () => {
    const { intake, port } = await startMqtt();
    const idle = await RawClient.connected(port, { clientId: 'idle', keepAliveS: 1 });
    const waiting = await RawClient.connected(port, { clientId: 'waiting', keepAliveS: 2 });
    intake.hold();
    waiting.send(...numbered(1, 1));
    idle.send(publishBytes({ topic: TOPIC, payload: 'x', qos: 0 }));
    const pings = setInterval(() => idle.send(PINGREQ), 200);
    onTestFinished(() => clearInterval(pings));
    await waiting.gone();
    expect(idle.closed).toBe(false);
  });
});

describe('a client over its rate', () => {
  it('is slowed down: nothing is lost, the order is kept', async () => {
    const { intake, port } = await startMqtt({ mqtt: { maxPublishRate: 200 } });
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(...numbered(300, 1));
    await waitFor(() => client.ids('puback').length >= 200, { what: 'the burst', timeoutMs: 5_000, everyMs: 1 });
    expect(client.ids('puback').length).toBeLessThan(300);
    await waitFor(() => client.ids('puback').length === 300, { what: 'the rest', timeoutMs: 5_000 });
    expect(client.ids('puback')).toEqual(range(300));
    expect(intake.payloads()).toEqual(range(300).map(String));
  });

  it('does not slow others', async () => {
    const { port } = await startMqtt({ mqtt: { maxPublishRate: 10 } });
    const fast = await RawClient.connected(port, { clientId: 'fast' });
    fast.send(...numbered(1_000, 0));
    const other = await RawClient.connected(port, { clientId: 'other' });
    other.send(publishBytes({ topic: TOPIC, payload: 'x', qos: 1, packetId: 1 }));
    await other.next('puback');
  });

  it('that breaks off: what was not acknowledged is not stored behind its repetition', async () => {
    const { intake, port } = await startMqtt({ mqtt: { maxPublishRate: 5 } });
    const first = await RawClient.connected(port, { clientId: 'c', clean: false });
    first.send(...numbered(10, 2));
    await waitFor(() => first.ids('pubrec').length === 5, { what: 'the burst', timeoutMs: 5_000 });
    first.break();
    const again = await RawClient.connected(port, { clientId: 'c', clean: false });
    again.send(publishBytes({ topic: TOPIC, payload: '10', qos: 2, packetId: 10, dup: true }));
    await again.next('pubrec');
    again.send(Buffer.from('6202000a', 'hex'));
    await again.next('pubcomp');
    again.send(publishBytes({ topic: TOPIC, payload: 'end', qos: 2, packetId: 11 }));
    await again.next('pubrec');
    expect(intake.payloads()).toEqual(['1', '2', '3', '4', '5', '10', 'end']);
  });

  it('that says goodbye: its QoS 0 messages are stored without more waiting', async () => {
    const { intake, port } = await startMqtt({ mqtt: { maxPublishRate: 1 } });
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(...numbered(100, 0));
    client.disconnect();
    await waitFor(() => intake.stored.length === 100, { what: '100 messages', timeoutMs: 5_000 });
    expect(intake.payloads()).toEqual(range(100).map(String));
  });
});
