/** What becomes of wills when the gateway is killed, stopped, or killed in the middle of publishing them. */

import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { FakeIntake } from '../support/fake-intake.ts';
import { type MqttHarness, type MqttHarnessOptions, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { connectBytes, publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/events/will';
const NEVER = new Promise<void>(() => undefined);

afterEach(stopMqtt);

function client(port: number, clientId: string, payload: string, topic = TOPIC): Promise<RawClient> {
  return RawClient.connected(port, { clientId, will: { topic, payload, qos: 1 } });
}

/** The kinds of changes that the store was asked for, once that many came. */
async function saved({ sessions }: MqttHarness, count: number): Promise<readonly string[]> {
  await waitFor(() => sessions.saved.length >= count, { what: `${count} changes on disk`, timeoutMs: 5_000 });
  return sessions.saved;
}

/** Another gateway on what the first one has on disk now, as after a kill. */
async function afterKill({ sessions, intake }: MqttHarness, options: MqttHarnessOptions = {}): Promise<MqttHarness> {
  return await startMqtt({ sessions: sessions.reopened(), openHandshakes: intake.openHandshakes(), ...options });
}

async function wills({ sessions }: MqttHarness): Promise<readonly string[]> {
  return (await sessions.loadWills(0, 100)).map(({ clientId, payload }) => `${clientId} ${Buffer.from(payload)}`);
}

describe('the will of a client that was connected when the gateway was killed', () => {
  it('is published at the next start, once, and before anything that its client sends then', async () => {
    const killed = await startMqtt();
    await client(killed.port, 'c', 'gone');
    await saved(killed, 1);
    const next = await afterKill(killed);
    const back = await RawClient.connected(next.port, { clientId: 'c' });
    back.send(publishBytes({ topic: TOPIC, payload: 'back', qos: 1, packetId: 1 }));
    await back.next('puback');
    expect(next.intake.payloads()).toEqual(['gone', 'back']);
    expect(await saved(next, 1)).toEqual(['will_gone']);
    expect((await afterKill(next)).intake.calls).toEqual([]);
  });

  it('is one of many, published in the order in which they connected', async () => {
    const killed = await startMqtt();
    for (const id of ['a', 'b', 'c']) await client(killed.port, id, `${id} is gone`);
    await saved(killed, 3);
    const { intake, source } = await afterKill(killed);
    await waitFor(() => intake.stored.length === 3, { what: 'the wills', timeoutMs: 5_000 });
    expect(intake.payloads()).toEqual(['a is gone', 'b is gone', 'c is gone']);
    expect(source.clientCount()).toBe(0);
  });

  it('is not published again when the kill came between publishing and removing it', async () => {
    const killed = await startMqtt();
    const broken = await client(killed.port, 'c', 'gone');
    await saved(killed, 1);
    killed.sessions.beforeSave = () => NEVER;
    broken.break();
    await waitFor(() => killed.intake.openHandshakes().length === 1, { what: 'the will', timeoutMs: 5_000 });
    expect(await wills(killed)).toEqual(['c gone']);
    const next = await afterKill(killed);
    expect(await saved(next, 1)).toEqual(['will_gone']);
    await waitFor(() => next.intake.calls.length === 1, { what: 'the key to be released', timeoutMs: 5_000 });
    expect(next.intake.calls).toEqual(['release \u0001will/1 all']);
    expect(await wills(next)).toEqual([]);
  });

  it('is not taken for an older one, of which only the key is left', async () => {
    const key = { clientId: '\u0001will/7', packetId: 1 };
    const intake = new FakeIntake();
    intake.hold();
    const first = await startMqtt({ openHandshakes: [key], intake });
    await client(first.port, 'c', 'gone');
    await saved(first, 2);
    expect((await first.sessions.loadWills(7, 10)).length).toBe(1);
  });

  it('is judged by what its client may do now', async () => {
    const grants = [{ device: 'meter', publish: ['plant/#'], subscribe: [] }];
    const killed = await startMqtt({ mqtt: { grants } });
    killed.access.secrets.set('meter', 'secret');
    const will = { topic: 'plant/meter', payload: 'gone' };
    await RawClient.connected(killed.securePort, { clientId: 'c', username: 'meter', password: 'secret', will });
    await saved(killed, 1);
    const next = await afterKill(killed);
    expect(next.source.deniedCount()).toBe(1);
    expect(await saved(next, 1)).toEqual(['will_gone']);
    expect([next.intake.stored, await wills(next)]).toEqual([[], []]);
  });

  it('waits with everything else while nothing can be stored, and holds up no start', async () => {
    const killed = await startMqtt();
    await client(killed.port, 'c', 'gone');
    await saved(killed, 1);
    const intake = new FakeIntake();
    intake.hold();
    const next = await afterKill(killed, { intake });
    const back = await RawClient.connected(next.port, { clientId: 'c' });
    back.send(publishBytes({ topic: TOPIC, payload: 'back', qos: 1, packetId: 1 }));
    await waitFor(() => intake.waitingCount === 2, { what: 'both at the door', timeoutMs: 5_000 });
    expect(await wills(next)).toEqual(['c gone']);
    intake.letGo();
    await back.next('puback');
    expect(intake.payloads()).toEqual(['gone', 'back']);
    expect(await saved(next, 1)).toEqual(['will_gone']);
  });

  it('makes no device appear to be there', async () => {
    const killed = await startMqtt();
    await client(killed.port, 'c', 'gone');
    await saved(killed, 1);
    const next = await afterKill(killed);
    await saved(next, 1);
    expect(next.presence.told).toEqual([]);
  });
});

describe('on disk', () => {
  it('a will is gone when its client said goodbye', async () => {
    const mqtt = await startMqtt();
    const polite = await client(mqtt.port, 'c', 'never');
    await saved(mqtt, 1);
    polite.disconnect();
    expect(await saved(mqtt, 2)).toEqual(['will', 'will_gone']);
    expect((await afterKill(mqtt)).intake.calls).toEqual([]);
  });

  it('a will is gone when it is published', async () => {
    const mqtt = await startMqtt();
    const broken = await client(mqtt.port, 'c', 'gone');
    await saved(mqtt, 1);
    broken.break();
    expect(await saved(mqtt, 2)).toEqual(['will', 'will_gone']);
    await waitFor(() => mqtt.intake.openHandshakes().length === 0, { what: 'the key to go', timeoutMs: 5_000 });
    expect(mqtt.intake.payloads()).toEqual(['gone']);
    expect((await afterKill(mqtt)).intake.calls).toEqual([]);
  });

  it('nothing is written for a client without a will', async () => {
    const mqtt = await startMqtt();
    const without = await RawClient.connected(mqtt.port, { clientId: 'without' });
    without.disconnect();
    await without.gone();
    await client(mqtt.port, 'c', 'gone');
    expect(await saved(mqtt, 1)).toEqual(['will']);
  });

  it('a client that takes its client id over has its own will, and the other one is published', async () => {
    const mqtt = await startMqtt();
    await client(mqtt.port, 'c', 'first');
    await saved(mqtt, 1);
    mqtt.intake.hold();
    await client(mqtt.port, 'c', 'second');
    await saved(mqtt, 2);
    expect(await wills(mqtt)).toEqual(['c first', 'c second']);
    mqtt.intake.letGo();
    expect(await saved(mqtt, 3)).toEqual(['will', 'will', 'will_gone']);
    expect(await wills(mqtt)).toEqual(['c second']);
    const next = await afterKill(mqtt);
    await saved(next, 1);
    expect([mqtt.intake.payloads(), next.intake.payloads()]).toEqual([['first'], ['second']]);
  });

  it('no will is left when the gateway stops in good order', async () => {
    const mqtt = await startMqtt();
    await Promise.all(['a', 'b', 'c'].map((id) => client(mqtt.port, id, 'never')));
    await saved(mqtt, 3);
    await client(mqtt.port, 'fresh', 'never');
    await mqtt.source.stop();
    expect([await wills(mqtt), mqtt.intake.stored]).toEqual([[], []]);
  });

  it('a will that cannot be removed when the gateway stops is published at the next start', async () => {
    const mqtt = await startMqtt();
    await client(mqtt.port, 'c', 'gone');
    await saved(mqtt, 1);
    mqtt.sessions.beforeSave = () => NEVER;
    await mqtt.source.stop();
    const next = await afterKill(mqtt);
    await saved(next, 1);
    expect([mqtt.intake.payloads(), next.intake.payloads()]).toEqual([[], ['gone']]);
  });

  it('a will that waits for the store when the gateway stops is published at the next start', async () => {
    const mqtt = await startMqtt();
    const broken = await client(mqtt.port, 'c', 'gone');
    await saved(mqtt, 1);
    mqtt.intake.hold();
    broken.break();
    await waitFor(() => mqtt.intake.waitingCount === 1, { what: 'the will at the door', timeoutMs: 5_000 });
    await mqtt.source.stop();
    const next = await afterKill(mqtt);
    await waitFor(() => next.intake.payloads().length === 1, { what: 'the will', timeoutMs: 5_000 });
    expect(next.intake.payloads()).toEqual(['gone']);
  });
});

describe('the will of a device that is removed', () => {
  const login = {
    clientId: 'c',
    clean: false,
    username: 'meter',
    password: 'secret',
    will: { topic: TOPIC, payload: 'gone', qos: 1 },
  } as const;

  async function startWithMeter(): Promise<MqttHarness> {
    const mqtt = await startMqtt();
    mqtt.access.secrets.set('meter', 'secret');
    return mqtt;
  }

  /** Does not close its end of the connection when the broker does. */
  async function stubborn({ securePort }: MqttHarness): Promise<RawClient> {
    const socket = connect({ port: securePort, host: '127.0.0.1', allowHalfOpen: true });
    await once(socket, 'connect');
    return RawClient.over(socket);
  }

  async function nobodyIsThere({ source }: MqttHarness): Promise<void> {
    await waitFor(() => source.clientCount() === 0, { what: 'the end of all connections', timeoutMs: 5_000 });
  }

  /** Once another will came to the disk: what went there before. */
  async function savedAtLast(mqtt: MqttHarness): Promise<readonly string[]> {
    await client(mqtt.port, 'other', 'never');
    await waitFor(() => mqtt.sessions.saved.at(-1) === 'will', { what: 'the other will', timeoutMs: 5_000 });
    return mqtt.sessions.saved.slice(0, -1);
  }

  it('is not published when that ends its connection, and nothing of it is left on disk', async () => {
    const mqtt = await startWithMeter();
    await RawClient.connected(mqtt.securePort, { ...login, clean: true });
    await saved(mqtt, 1);
    await mqtt.source.forget('meter');
    expect([mqtt.sessions.saved, await wills(mqtt)]).toEqual([['will', 'will_gone'], []]);
    await nobodyIsThere(mqtt);
    expect(mqtt.intake.payloads()).toEqual([]);
  });

  it('does not come to the disk afterwards, also when its client keeps the connection open', async () => {
    const mqtt = await startWithMeter();
    await (await stubborn(mqtt)).connect({ ...login, clean: true });
    await mqtt.source.forget('meter');
    expect(await savedAtLast(mqtt)).toEqual([]);
    await waitFor(() => mqtt.source.clientCount() === 1, { what: 'the end of the connection', timeoutMs: 5_000 });
    expect(mqtt.intake.payloads()).toEqual([]);
  });

  it('and its session do not come when it was waiting to be let in', async () => {
    const mqtt = await startWithMeter();
    const { promise: stored, resolve } = Promise.withResolvers<void>();
    mqtt.sessions.beforeSave = () => stored;
    const first = await RawClient.open(mqtt.securePort);
    first.send(connectBytes(login));
    await waitFor(() => mqtt.access.claims.has('c'), { what: 'the first login', timeoutMs: 5_000 });
    const second = await stubborn(mqtt);
    mqtt.access.claims.clear();
    second.send(connectBytes(login));
    await waitFor(() => mqtt.access.claims.has('c'), { what: 'the second login', timeoutMs: 5_000 });
    const forgotten = mqtt.source.forget('meter');
    await first.gone();
    resolve();
    await forgotten;
    expect(await savedAtLast(mqtt)).toEqual(['begin', 'end']);
    expect(mqtt.intake.payloads()).toEqual([]);
  });
});
