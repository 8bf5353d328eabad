import { afterEach, describe, expect, it } from 'vitest';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/telemetry';

afterEach(stopMqtt);

describe('stopping the MQTT source', () => {
  it('acknowledges what is in flight, then closes', async () => {
    const { source, intake, port } = await startMqtt();
    const clients = await Promise.all([1, 2].map((n) => RawClient.connected(port, { clientId: `c${n}` })));
    intake.hold();
    for (const [index, client] of clients.entries()) {
      const qos = index === 0 ? 1 : 2;
      client.send(publishBytes({ topic: TOPIC, payload: `${index}`, qos, packetId: 1 }));
    }
    await waitFor(() => intake.waitingCount === 2, { what: 'two messages at the door', timeoutMs: 5_000 });
    const stopped = source.stop();
    intake.letGo();
    await stopped;
    await clients[0]?.next('puback');
    await clients[1]?.next('pubrec');
    for (const client of clients) await client.gone();
    expect(source.clientCount()).toBe(0);
  });

  it('does not wait for ever for a store that does not answer', async () => {
    const { source, intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c' });
    intake.hold();
    client.send(publishBytes({ topic: TOPIC, payload: '1', qos: 1, packetId: 1 }));
    await waitFor(() => intake.waitingCount === 1, { what: 'a message at the door', timeoutMs: 5_000 });
    await source.stop();
    await client.gone();
    expect(client.ids('puback')).toEqual([]);
  });

  it('takes nothing that comes later', async () => {
    const { source, intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c' });
    intake.hold();
    const stopped = source.stop();
    client.send(publishBytes({ topic: TOPIC, payload: 'late', qos: 1, packetId: 1 }));
    await expect(RawClient.open(port)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    intake.letGo();
    await stopped;
    expect(intake.calls).toEqual(['settled']);
  });

  it('keeps QoS 0 messages that were slowed down', async () => {
    const { source, intake, port } = await startMqtt({ mqtt: { maxPublishRate: 5 } });
    const client = await RawClient.connected(port, { clientId: 'c' });
    const packets = Array.from({ length: 50 }, (_, n) => publishBytes({ topic: TOPIC, payload: `${n}` }));
    await client.ping(...packets);
    await source.stop();
    expect(intake.payloads()).toEqual(packets.map((_, n) => `${n}`));
  });

  it('stores no wills and tells of no device that it is gone', async () => {
    const { source, intake, access, presence, port } = await startMqtt();
    access.secrets.set('meter', 'secret');
    const will = { topic: 'devices/meter/events/will', payload: 'gone', qos: 1 } as const;
    const client = await RawClient.connected(port, { clientId: 'c', username: 'meter', password: 'secret', will });
    await source.stop();
    await client.gone();
    expect(intake.stored).toEqual([]);
    expect(presence.told).toEqual(['meter online']);
  });

  it('may be done twice, and without a start', async () => {
    const { source, port } = await startMqtt();
    await RawClient.connected(port, { clientId: 'c' });
    await Promise.all([source.stop(), source.stop()]);
    await source.stop();
  });
});
