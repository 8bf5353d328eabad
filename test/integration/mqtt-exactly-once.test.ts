import { afterEach, describe, expect, it } from 'vitest';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { ackBytes, publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/events/tick';

function message(payload: string, packetId: number, dup = false): Buffer {
  return publishBytes({ topic: TOPIC, payload, qos: 2, packetId, dup });
}

async function deliver(client: RawClient, payload: string, packetId: number): Promise<void> {
  client.send(message(payload, packetId));
  await client.next('pubrec');
  client.send(ackBytes('pubrel', packetId));
  await client.next('pubcomp');
}

/** The gateway after a kill: the same store, nothing else. */
async function restarted({ intake, sessions, source }: MqttHarness): Promise<MqttHarness> {
  await source.stop();
  return await startMqtt({ intake, sessions: sessions.reopened(), openHandshakes: intake.openHandshakes() });
}

afterEach(stopMqtt);

describe('a QoS 2 message', () => {
  it('is stored and delivered once when it is repeated on the same connection', async () => {
    const { intake, port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe([TOPIC, 0]);
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(message('1', 7), message('1', 7, true));
    await client.next('pubrec');
    await client.next('pubrec');
    client.send(message('1', 7, true));
    await client.next('pubrec');
    client.send(ackBytes('pubrel', 7));
    await client.next('pubcomp');
    await deliver(client, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
    await waitFor(() => subscriber.messages().length >= 2, { what: 'both messages', timeoutMs: 5_000 });
    await subscriber.quiet();
    expect(subscriber.messages()).toEqual([`${TOPIC} 1 q0`, `${TOPIC} 2 q0`]);
  });

  it('is stored and delivered once when it is repeated on a new connection', async () => {
    const { intake, port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe([TOPIC, 0]);
    const first = await RawClient.connected(port, { clientId: 'c', clean: false });
    intake.hold();
    first.send(message('1', 7));
    await waitFor(() => intake.waitingCount === 1, { what: 'the message at the door', timeoutMs: 5_000 });
    first.break();
    const second = await RawClient.connected(port, { clientId: 'c', clean: false });
    second.send(message('1', 7, true));
    await waitFor(() => intake.waitingCount === 2, { what: 'its repetition', timeoutMs: 5_000 });
    intake.letGo();
    await second.next('pubrec');
    expect(intake.payloads()).toEqual(['1']);
    await subscriber.next('publish');
    await subscriber.quiet();
    expect(subscriber.messages()).toEqual([]);
  });

  it('that no route knows, or that is refused, is delivered once too', async () => {
    const { intake, port } = await startMqtt();
    intake.refusal = () => 'not_json';
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['#', 0]);
    const client = await RawClient.connected(port, { clientId: 'c' });
    for (const [packetId, topic] of [
      [1, TOPIC],
      [2, 'plant/lamp'],
    ] as const) {
      const publish = { topic, payload: 'x', qos: 2, packetId } as const;
      client.send(publishBytes(publish), publishBytes({ ...publish, dup: true }));
      await client.next('pubrec');
      await client.next('pubrec');
    }
    await waitFor(() => subscriber.messages().length >= 2, { what: 'both messages', timeoutMs: 5_000 });
    await subscriber.quiet();
    expect(subscriber.messages()).toEqual([`${TOPIC} x q0`, 'plant/lamp x q0']);
  });

  it('is complete only when its key is released on disk, also for a repeated PUBREL', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(message('1', 7));
    await client.next('pubrec');
    intake.hold();
    await client.ping(ackBytes('pubrel', 7), ackBytes('pubrel', 7));
    await waitFor(() => intake.waitingCount === 1, { what: 'the release at the door', timeoutMs: 5_000 });
    expect(client.ids('pubcomp')).toEqual([]);
    expect(intake.openHandshakes().length).toBe(1);
    intake.letGo();
    await client.next('pubcomp');
    await client.next('pubcomp');
    expect(intake.openHandshakes()).toEqual([]);
  });

  it('is not completed when its key cannot be released: the packet id would swallow the next message', async () => {
    const harness = await startMqtt();
    const { intake } = harness;
    const client = await RawClient.connected(harness.port, { clientId: 'c', clean: false });
    client.send(message('1', 7));
    await client.next('pubrec');
    intake.hold();
    client.send(ackBytes('pubrel', 7));
    await waitFor(() => intake.waitingCount === 1, { what: 'the release at the door', timeoutMs: 5_000 });
    intake.fail(new Error('the store is gone'));
    await waitFor(() => client.closed, { what: 'the connection to end', timeoutMs: 5_000 });
    expect(client.ids('pubcomp')).toEqual([]);
    intake.letGo();
    const again = await RawClient.connected((await restarted(harness)).port, { clientId: 'c', clean: false });
    again.send(ackBytes('pubrel', 7));
    await again.next('pubcomp');
    await deliver(again, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('of an unknown packet id is released at once', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c' });
    client.send(ackBytes('pubrel', 99));
    await client.next('pubcomp');
    expect(intake.calls).toEqual([]);
  });

  it('has its key released behind the message itself, never before', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', clean: true });
    intake.hold();
    client.send(message('1', 7));
    await waitFor(() => intake.waitingCount === 1, { what: 'the message at the door', timeoutMs: 5_000 });
    client.break();
    await waitFor(() => intake.waitingCount === 2, { what: 'the release', timeoutMs: 5_000 });
    expect(intake.calls).toEqual(['accept 1', 'release c all']);
    intake.letGo();
    expect(intake.openHandshakes()).toEqual([]);
  });
});

describe('packet ids that are used again', () => {
  it('carry new messages after a clean session broke off before PUBREL', async () => {
    const { intake, port } = await startMqtt();
    const first = await RawClient.connected(port, { clientId: 'c', clean: true });
    first.send(message('1', 7));
    await first.next('pubrec');
    first.break();
    const second = await RawClient.connected(port, { clientId: 'c', clean: true });
    await deliver(second, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('carry new messages in a session that is kept, after a clean one broke off while its message was stored', async () => {
    const { intake, port } = await startMqtt();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe([TOPIC, 0]);
    const clean = await RawClient.connected(port, { clientId: 'c', clean: true });
    intake.hold();
    clean.send(message('1', 7));
    await waitFor(() => intake.waitingCount === 1, { what: 'the message at the door', timeoutMs: 5_000 });
    clean.break();
    await waitFor(() => intake.waitingCount === 2, { what: 'the release', timeoutMs: 5_000 });
    intake.letGo();
    await subscriber.next('publish');
    const kept = await RawClient.connected(port, { clientId: 'c', clean: false });
    expect(kept.sessionPresent).toBe(false);
    await deliver(kept, '2', 7);
    await subscriber.next('publish');
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('carry new messages when the client id belongs to somebody else', async () => {
    const { access, intake, port, securePort } = await startMqtt();
    const first = await RawClient.connected(port, { clientId: 'c', clean: false });
    first.send(message('1', 7));
    await first.next('pubrec');
    first.break();
    access.claims.clear();
    access.secrets.set('meter', 'secret');
    const login = { username: 'meter', password: 'secret' };
    const second = await RawClient.connected(securePort, { clientId: 'c', clean: false, ...login });
    expect(second.sessionPresent).toBe(false);
    await deliver(second, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('carry new messages when a clean session takes over one that is still connected', async () => {
    const { intake, port } = await startMqtt();
    const first = await RawClient.connected(port, { clientId: 'c', clean: false });
    first.send(message('1', 7));
    await first.next('pubrec');
    const second = await RawClient.connected(port, { clientId: 'c', clean: true });
    await first.gone();
    await deliver(second, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('stay known when a session that is kept takes over a clean one that is still connected', async () => {
    const { intake, port } = await startMqtt();
    const clean = await RawClient.connected(port, { clientId: 'c', clean: true });
    clean.send(message('1', 7));
    await clean.next('pubrec');
    const kept = await RawClient.open(port);
    const connected = kept.connect({ clientId: 'c', clean: false });
    kept.send(message('2', 7));
    expect(await connected).toBe(0);
    await kept.next('pubrec');
    kept.send(message('2', 7, true));
    await kept.next('pubrec');
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('are not freed by somebody who fails to log in under the same client id', async () => {
    const { intake, port } = await startMqtt();
    const client = await RawClient.connected(port, { clientId: 'c', clean: false });
    client.send(message('1', 7));
    await client.next('pubrec');
    const stranger = await RawClient.open(port);
    expect(await stranger.connect({ clientId: 'c', username: 'meter', password: 'wrong' })).toBe(4);
    await stranger.gone();
    client.send(message('1', 7, true));
    await client.next('pubrec');
    expect(intake.payloads()).toEqual(['1']);
    expect(intake.calls).not.toContain('release c all');
  });
});

describe('after a restart of the gateway', () => {
  it('a repeated message is answered without doubling, and PUBREL frees its packet id', async () => {
    const before = await startMqtt();
    const first = await RawClient.connected(before.port, { clientId: 'c', clean: false });
    first.send(message('1', 7));
    await first.next('pubrec');
    first.break();
    const { intake, port } = await restarted(before);
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe([TOPIC, 0]);
    const second = await RawClient.connected(port, { clientId: 'c', clean: false });
    second.send(message('1', 7, true));
    await second.next('pubrec');
    second.send(ackBytes('pubrel', 7));
    await second.next('pubcomp');
    await deliver(second, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
    await subscriber.next('publish');
    await subscriber.quiet();
    expect(subscriber.messages()).toEqual([]);
    expect(intake.openHandshakes()).toEqual([]);
  });

  it('PUBREL alone frees the packet id, on disk, for the next message', async () => {
    const before = await startMqtt();
    const first = await RawClient.connected(before.port, { clientId: 'c', clean: false });
    first.send(message('1', 7));
    await first.next('pubrec');
    const { intake, port } = await restarted(before);
    const second = await RawClient.connected(port, { clientId: 'c', clean: false });
    second.send(ackBytes('pubrel', 7));
    await second.next('pubcomp');
    expect(intake.openHandshakes()).toEqual([]);
    await deliver(second, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('a clean session starts without the old packet ids', async () => {
    const before = await startMqtt();
    const first = await RawClient.connected(before.port, { clientId: 'c', clean: false });
    first.send(message('1', 7));
    await first.next('pubrec');
    const { intake, port } = await restarted(before);
    const second = await RawClient.connected(port, { clientId: 'c', clean: true });
    expect(intake.openHandshakes()).toEqual([]);
    await deliver(second, '2', 7);
    expect(intake.payloads()).toEqual(['1', '2']);
  });

  it('the exchanges of clean sessions are given up, on disk: they ended with their connections', async () => {
    const before = await startMqtt();
    const kept = await RawClient.connected(before.port, { clientId: 'kept', clean: false });
    kept.send(message('1', 7));
    await kept.next('pubrec');
    const atKill = [...before.intake.openHandshakes(), { clientId: 'clean', packetId: 7 }];
    await before.source.stop();
    const { intake, sessions } = before;
    await startMqtt({ intake, sessions: sessions.reopened(), openHandshakes: atKill });
    expect(intake.calls.filter((call) => call.startsWith('release'))).toEqual(['release clean all']);
  });

  it('a client whose exchange is open is told that its session is there', async () => {
    const before = await startMqtt();
    const first = await RawClient.connected(before.port, { clientId: 'c', clean: false });
    first.send(message('1', 7));
    await first.next('pubrec');
    const { port } = await restarted(before);
    const known = await RawClient.connected(port, { clientId: 'c', clean: false });
    const other = await RawClient.connected(port, { clientId: 'd', clean: false });
    expect([known.sessionPresent, other.sessionPresent]).toEqual([true, false]);
  });
});
