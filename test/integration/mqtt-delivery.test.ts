import { afterEach, describe, expect, it } from 'vitest';
import { startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { ackBytes, packetIdOf, publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

type Qos = 0 | 1 | 2;

let packetId = 0;

/** Publishes and waits for the end of the exchange. */
async function publish(client: RawClient, topic: string, payload: string, qos: Qos = 1, retain = false): Promise<void> {
  packetId += 1;
  client.send(publishBytes({ topic, payload, qos, retain, ...(qos > 0 && { packetId }) }));
  if (qos === 1) await client.next('puback');
  if (qos !== 2) return;
  await client.next('pubrec');
  client.send(ackBytes('pubrel', packetId));
  await client.next('pubcomp');
}

afterEach(stopMqtt);

describe('local delivery', () => {
  it('reaches every subscriber once and in order, whatever is mixed in one chunk', async () => {
    const { port } = await startMqtt();
    const subscribers = await Promise.all(['a', 'b'].map((clientId) => RawClient.connected(port, { clientId })));
    for (const subscriber of subscribers) await subscriber.subscribe(['t/#', 2]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    const packets = Array.from({ length: 300 }, (_, index) => {
      const qos = (index % 3) as Qos;
      const retain = index % 5 === 0;
      return publishBytes({ topic: 't/x', payload: `${index}`, qos, retain, ...(qos > 0 && { packetId: index + 1 }) });
    });
    publisher.send(...packets);
    for (const subscriber of subscribers) {
      await waitFor(() => subscriber.messages().length === 300, { what: '300 messages', timeoutMs: 5_000 });
      for (const qos of [0, 1, 2]) {
        const numbers = subscriber.messages().filter((text) => text.endsWith(`q${qos}`));
        const expected = Array.from({ length: 100 }, (_, index) => `t/x ${index * 3 + qos} q${qos}`);
        expect(numbers).toEqual(expected);
      }
    }
  });

  it.each<[Qos, Qos, Qos]>([
    [0, 2, 0],
    [1, 0, 0],
    [2, 0, 0],
    [2, 1, 1],
    [1, 2, 1],
    [2, 2, 2],
  ])('of QoS %i to a subscription with QoS %i has QoS %i', async (published, subscribed, delivered) => {
    const { port } = await startMqtt();
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't/x', 'retained', published, true);
    for (const filter of ['t/x', 't/+', '#']) {
      const subscriber = await RawClient.connected(port, { clientId: filter });
      await subscriber.subscribe([filter, subscribed]);
      await publish(publisher, 't/x', 'live', published);
      await waitFor(() => subscriber.messages().length === 2, { what: 'both messages', timeoutMs: 5_000 });
      expect(subscriber.messages()).toEqual([`t/x retained q${delivered}r`, `t/x live q${delivered}`]);
      subscriber.disconnect();
    }
  });

  it('ends with the subscription', async () => {
    const { port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's', clean: false });
    await subscriber.subscribe(['t/#', 1], ['u', 0]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't/x', '1');
    await subscriber.next('publish');
    subscriber.send(Buffer.from('a20700020003742f23', 'hex'));
    await subscriber.next('unsuback');
    await publish(publisher, 't/x', '2');
    await publish(publisher, 'u', '3');
    await subscriber.next('publish');
    expect(subscriber.messages()).toEqual([]);
  });

  it('follows a subscription that changes its QoS', async () => {
    const { port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['t', 0]);
    await subscriber.subscribe(['t', 1]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't', '1');
    await subscriber.next('publish');
    await subscriber.quiet();
    expect(subscriber.messages()).toEqual([]);
  });
});

describe('retained messages', () => {
  it('wait for later subscribers, until an empty one removes them', async () => {
    const { port } = await startMqtt();
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 'devices/a/telemetry', '1', 1, true);
    await publish(publisher, 'devices/a/telemetry', '2', 1, true);
    await publish(publisher, 'devices/b/telemetry', '3', 1, true);
    await publish(publisher, 'devices/b/telemetry', '', 1, true);
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['devices/+/telemetry', 0]);
    await subscriber.next('publish');
    await subscriber.quiet();
    expect(subscriber.messages()).toEqual([]);
  });

  it('of QoS 2 are taken by a session that is kept', async () => {
    const { port } = await startMqtt();
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't', '1', 2, true);
    const subscriber = await RawClient.connected(port, { clientId: 's', clean: false });
    await subscriber.subscribe(['t', 2]);
    const id = packetIdOf(await subscriber.next('publish'));
    subscriber.send(ackBytes('pubrec', id));
    await subscriber.next('pubrel');
    subscriber.send(ackBytes('pubcomp', id));
    await subscriber.ping();
  });
});

describe('a session that is kept', () => {
  it('gets what came while it was away, in order, then what comes', async () => {
    const { port } = await startMqtt();
    const first = await RawClient.connected(port, { clientId: 's', clean: false });
    expect(first.sessionPresent).toBe(false);
    await first.subscribe(['t/#', 1]);
    first.disconnect();
    await first.gone();
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    for (const payload of ['1', '2', '3']) await publish(publisher, 't/x', payload, 1, payload === '2');
    await publish(publisher, 't/x', 'not kept', 0);
    const second = await RawClient.connected(port, { clientId: 's', clean: false });
    expect(second.sessionPresent).toBe(true);
    await publish(publisher, 't/x', '4');
    await waitFor(() => second.messages().length === 4, { what: 'four messages', timeoutMs: 5_000 });
    expect(second.messages()).toEqual(['1', '2', '3', '4'].map((payload) => `t/x ${payload} q1`));
  });

  it('gets again what it did not acknowledge, marked as a repetition, and nothing that it did', async () => {
    const { port } = await startMqtt();
    const first = await RawClient.connected(port, { clientId: 's', clean: false });
    await first.subscribe(['t', 1]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't', '1');
    await publish(publisher, 't', '2');
    const id = packetIdOf(await first.next('publish'));
    await first.next('publish');
    await first.ping(ackBytes('puback', id));
    first.break();
    const second = await RawClient.connected(port, { clientId: 's', clean: false });
    const repeated = await second.next('publish');
    expect(repeated.flags).toBe(0b1010);
    await second.ping(ackBytes('puback', packetIdOf(repeated)));
    await second.quiet();
    expect(second.messages()).toEqual([]);
    second.break();
    const third = await RawClient.connected(port, { clientId: 's', clean: false });
    await third.quiet();
    expect(third.messages()).toEqual([]);
  });

  it('goes on with a QoS 2 exchange where it stopped', async () => {
    const { port } = await startMqtt();
    const first = await RawClient.connected(port, { clientId: 's', clean: false });
    await first.subscribe(['t', 2]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't', '1', 2);
    const id = packetIdOf(await first.next('publish'));
    first.send(ackBytes('pubrec', id));
    await first.next('pubrel');
    first.break();
    const second = await RawClient.connected(port, { clientId: 's', clean: false });
    expect((await second.next('pubrel')).body.readUInt16BE(0)).toBe(id);
    await second.ping(ackBytes('pubcomp', id));
    await second.quiet();
    expect(second.messages()).toEqual([]);
    second.break();
    const third = await RawClient.connected(port, { clientId: 's', clean: false });
    await third.quiet();
    expect(third.received).toEqual([]);
  });

  it('ends with a clean one', async () => {
    const { port } = await startMqtt();
    const kept = await RawClient.connected(port, { clientId: 's', clean: false });
    await kept.subscribe(['t', 1]);
    kept.break();
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    await publish(publisher, 't', '1');
    const clean = await RawClient.connected(port, { clientId: 's', clean: true });
    expect(clean.sessionPresent).toBe(false);
    await clean.quiet();
    clean.disconnect();
    await clean.gone();
    await publish(publisher, 't', '2');
    const again = await RawClient.connected(port, { clientId: 's', clean: false });
    expect(again.sessionPresent).toBe(false);
    await again.quiet();
    expect([...clean.messages(), ...again.messages()]).toEqual([]);
  });

  it('keeps a bounded number of messages, and serves its client when they are too many', async () => {
    const { port, logger } = await startMqtt({ mqtt: { maxQueuedMessages: 5 } });
    const subscriber = await RawClient.connected(port, { clientId: 's', clean: false });
    await subscriber.subscribe(['t', 1]);
    const publisher = await RawClient.connected(port, { clientId: 'p' });
    for (let n = 0; n < 8; n += 1) await publish(publisher, 't', `${n}`);
    await waitFor(() => subscriber.messages().length === 8, { what: 'eight messages', timeoutMs: 5_000 });
    subscriber.break();
    for (let n = 8; n < 20; n += 1) await publish(publisher, 't', `${n}`);
    const again = await RawClient.connected(port, { clientId: 's', clean: false });
    await waitFor(() => again.messages().length >= 5, { what: 'five messages', timeoutMs: 5_000 });
    await again.quiet();
    expect(again.messages().map((text) => text.split(' ')[1])).toEqual(['0', '1', '2', '3', '4']);
    expect(logger.lines.filter(({ message }) => message.includes('queue is full')).length).toBe(1);
  });
});

describe('a will', () => {
  it('is stored and delivered when the connection breaks, not when the client says goodbye', async () => {
    const { intake, port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['devices/a/events/#', 0]);
    const will = { topic: 'devices/a/events/will', payload: 'gone', qos: 2 } as const;
    const polite = await RawClient.connected(port, { clientId: 'c', will: { ...will, payload: 'never' } });
    polite.disconnect();
    await polite.gone();
    const broken = await RawClient.connected(port, { clientId: 'c', will });
    broken.break();
    expect((await subscriber.next('publish')).body.toString()).toContain('gone');
    expect(intake.payloads()).toEqual(['gone']);
  });
});
