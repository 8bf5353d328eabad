/** Commands over real MQTT connections, to clients that were not written by us and to one that speaks in bytes. */

import mqtt from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandView } from '../../src/core/commands.ts';
import { CommandDesk } from '../../src/devices/commands/command-desk.ts';
import { FakeSink } from '../support/fake-sink.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { ackBytes, packetIdOf, publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const LONG_MS = 60_000;

let harness: MqttHarness;
let desk: CommandDesk;
/** The way to `drive`, which is none of MQTT. */
let line: FakeSink;
const clients: mqtt.MqttClient[] = [];

beforeEach(async () => {
  const clock = { now: Date.now, monotonic: () => performance.now() };
  desk = new CommandDesk({ clock, logger: new MemoryLogger() });
  harness = await startMqtt({ onReachable: desk.reachable, commandDoor: desk });
  line = new FakeSink();
  line.taken.add('drive');
  line.reached.add('drive');
  for (const sink of [harness.source.commands, line]) desk.addSink(sink);
});

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.endAsync(true)));
  desk.stop();
  await stopMqtt();
});

const give = (device = 'pump', timeoutMs = LONG_MS): CommandView =>
  desk.give({ device, name: 'open', params: { valve: 3 }, timeoutMs });
const now = ({ requestId }: CommandView) => desk.get(requestId);
const becomes = (command: CommandView, state: string) =>
  waitFor(() => now(command)?.state === state, { what: `the command to be ${state}`, timeoutMs: 5_000 });

async function device(clientId: string, port = harness.port, options: mqtt.IClientOptions = {}) {
  const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, { clientId, reconnectPeriod: 0, ...options });
  clients.push(client);
  return client;
}

/** A device that answers what it is asked, as firmware would. */
function answering(client: mqtt.MqttClient, id: string, answer: object): string[] {
  const asked: string[] = [];
  client.on('message', (topic, payload) => {
    if (!topic.startsWith(`devices/${id}/commands/`)) return;
    asked.push(`${topic} ${payload}`);
    const { request_id } = JSON.parse(payload.toString()) as { request_id: string };
    client.publish(`devices/${id}/responses/${request_id}`, JSON.stringify(answer), { qos: 1 });
  });
  return asked;
}

function respond(client: RawClient, topic: string, payload: string): Promise<unknown> {
  client.send(publishBytes({ topic, payload, qos: 1, packetId: 77 }));
  return client.next('puback');
}

describe('a command over MQTT', () => {
  it.each(['devices/pump/commands/open', 'devices/pump/commands/+', 'devices/+/commands/#', 'devices/pump/#'])(
    'reaches a client that subscribed to %s, and its answer comes back',
    async (filter) => {
      const pump = await device('pump');
      const asked = answering(pump, 'pump', { status: 200, result: [true] });
      await pump.subscribeAsync(filter, { qos: 1 });
      const given = give();
      await becomes(given, 'done');
      expect(now(given)).toMatchObject({ status: 200, result: [true] });
      const { requestId, deadline } = given;
      const body = {
        ...{ request_id: requestId, params: { valve: 3 }, timeout_ms: LONG_MS },
        deadline: new Date(deadline).toISOString(),
      };
      expect(asked).toEqual([`devices/pump/commands/open ${JSON.stringify(body)}`]);
    },
  );

  it.each([0, 1, 2] as const)('has QoS 1 at most, and that of a subscription of QoS %i', async (qos) => {
    const pump = await RawClient.connected(harness.port, { clientId: 'pump' });
    await pump.subscribe(['devices/pump/commands/#', qos]);
    give();
    const packet = await pump.next('publish');
    expect((packet.flags >> 1) & 3).toBe(Math.min(qos, 1));
    expect(packet.flags & 9).toBe(0);
  });

  it('waits for a device that connects in time, and is sent when it subscribes', async () => {
    const given = give();
    await device('pump');
    expect(now(given)?.state).toBe('queued');
    const pump = await device('pump-2');
    const asked = answering(pump, 'pump', { status: 204 });
    await pump.subscribeAsync('devices/+/commands/+');
    await becomes(given, 'done');
    expect(asked).toHaveLength(1);
  });

  it('reaches a session that subscribed earlier, when its client is back', async () => {
    const first = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    await first.subscribe(['devices/pump/commands/#', 1]);
    first.disconnect();
    await waitFor(() => harness.source.clientCount() === 0, { what: 'the client to be gone', timeoutMs: 5_000 });
    const given = give();
    expect(now(given)?.state).toBe('queued');
    const second = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    await second.next('publish');
    await becomes(given, 'sent');
  });

  it('is never sent again to a session that was cut off before it acknowledged', async () => {
    const first = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    await first.subscribe(['devices/pump/commands/#', 1]);
    give();
    await first.next('publish');
    first.break();
    const second = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    expect(second.sessionPresent).toBe(true);
    await second.quiet();
    expect(second.messages()).toEqual([]);
  });

  it('that expired leaves nothing for a session that comes later', async () => {
    const first = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    await first.subscribe(['devices/pump/commands/#', 1]);
    first.disconnect();
    await waitFor(() => harness.source.clientCount() === 0, { what: 'the client to be gone', timeoutMs: 5_000 });
    await becomes(give('pump', 10), 'expired');
    const second = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    await second.quiet();
    expect(second.messages()).toEqual([]);
    expect((await harness.sessions.loadQueues({ place: 0, session: 0 }, 1)).messages).toEqual([]);
  });

  it('has a packet id that no message in the queue of the session has', async () => {
    const pump = await RawClient.connected(harness.port, { clientId: 'pump', clean: false });
    await pump.subscribe(['devices/pump/commands/#', 1], ['house/#', 1]);
    const ids = new Set<number>();
    for (let i = 0; i < 5; i += 1) {
      await respond(pump, 'house/x', `${i}`);
      ids.add(packetIdOf(await pump.next('publish')));
      give();
      ids.add(packetIdOf(await pump.next('publish')));
    }
    expect(ids.size).toBe(10);
    pump.send(...[...ids].map((id) => ackBytes('puback', id)));
  });

  it('goes to all sessions that subscribed, and the first answer counts', async () => {
    const [one, other] = await Promise.all(
      ['a', 'b'].map((clientId) => RawClient.connected(harness.port, { clientId })),
    );
    for (const client of [one, other]) await client?.subscribe(['devices/pump/commands/#', 0]);
    const given = give();
    for (const client of [one, other]) await client?.next('publish');
    const topic = `devices/pump/responses/${given.requestId}`;
    if (one !== undefined && other !== undefined) {
      await respond(one, topic, '{"status":200,"result":"one"}');
      await respond(other, topic, '{"status":500,"error":"other"}');
    }
    expect(now(given)).toMatchObject({ state: 'done', result: 'one' });
    expect(harness.source.ignoredResponses()).toMatchObject({ unknown_request: 1 });
  });

  it('is shown to clients that watch everything, but those are not the device', async () => {
    const watcher = await RawClient.connected(harness.port, { clientId: 'watcher' });
    await watcher.subscribe(['#', 0]);
    const given = give();
    await watcher.quiet();
    expect([watcher.messages(), now(given)?.state]).toEqual([[], 'queued']);
    const pump = await RawClient.connected(harness.port, { clientId: 'pump' });
    await pump.subscribe(['devices/pump/commands/#', 0]);
    await pump.next('publish');
    await watcher.next('publish');
  });

  it('does not reach who unsubscribed, or is gone', async () => {
    const pump = await device('pump');
    await pump.subscribeAsync('devices/pump/commands/#');
    await pump.unsubscribeAsync('devices/pump/commands/#');
    const given = give();
    const other = await device('other');
    await other.subscribeAsync('devices/lamp/commands/#');
    await other.endAsync();
    await waitFor(() => harness.source.clientCount() === 1, { what: 'the client to be gone', timeoutMs: 5_000 });
    const second = give('lamp');
    await pump.publishAsync('house/x', 'behind both', { qos: 1 });
    expect([now(given)?.state, now(second)?.state]).toEqual(['queued', 'queued']);
  });

  it('reaches only whom it is meant for, of devices that log in', async () => {
    for (const id of ['pump', 'lamp']) harness.access.secrets.set(id, 'secret');
    const [pump, lamp] = await Promise.all(
      ['pump', 'lamp'].map((id) => device(id, harness.securePort, { username: id, password: 'secret' })),
    );
    if (pump === undefined || lamp === undefined) throw new Error('not connected');
    const heard = answering(lamp, 'lamp', { status: 200, result: 'stolen' });
    await lamp.subscribeAsync('devices/lamp/#');
    await expect(lamp.subscribeAsync('devices/pump/commands/#')).rejects.toThrow();
    await pump.subscribeAsync('devices/pump/commands/#');
    const given = give();
    await becomes(given, 'sent');
    // It may publish on its own topics only; there the request is not known as its own.
    await lamp.publishAsync(`devices/pump/responses/${given.requestId}`, '{"status":200}', { qos: 1 });
    await lamp.publishAsync(`devices/lamp/responses/${given.requestId}`, '{"status":200}', { qos: 1 });
    expect(harness.source.deniedCount()).toBe(1);
    expect(harness.source.ignoredResponses()).toMatchObject({ other_device: 1 });
    expect([now(given)?.state, heard]).toEqual(['sent', []]);
    await pump.publishAsync(`devices/pump/responses/${given.requestId}`, '{"status":200}', { qos: 1 });
    expect(now(given)?.state).toBe('done');
  });
});

describe('a response over MQTT', () => {
  it.each([
    ['not_json', '{"status":'],
    ['not_an_object', '[200]'],
    ['bad_status', '{"result":1}'],
    ['bad_status', '{"status":"200"}'],
    ['bad_status', '{"status":999}'],
    ['bad_error', '{"status":500,"error":{}}'],
    ['too_large', `{"status":200,"result":"${'x'.repeat(65_536)}"}`],
  ])('that is no answer is acknowledged, and ignored as %s', async (reason, payload) => {
    const pump = await RawClient.connected(harness.port, { clientId: 'pump' });
    await pump.subscribe(['devices/pump/commands/#', 0]);
    const given = give();
    await pump.next('publish');
    await respond(pump, `devices/pump/responses/${given.requestId}`, payload);
    expect(harness.source.ignoredResponses()).toMatchObject({ [reason]: 1 });
    expect(now(given)?.state).toBe('sent');
    const line = harness.logger.lines.find(({ message }) => message.includes('response ignored'));
    expect(line?.fields).toMatchObject({ clientId: 'pump', reason });
  });

  it('to a request that nobody knows is a record all the same, and counted', async () => {
    const pump = await RawClient.connected(harness.port, { clientId: 'pump' });
    await respond(pump, 'devices/pump/responses/a\u0007b', '{"status":200}');
    expect(harness.intake.payloads()).toEqual(['{"status":200}']);
    expect(harness.source.ignoredResponses()).toMatchObject({ unknown_request: 1 });
    expect(JSON.stringify(harness.logger.lines)).toContain('a\\\\u{7}b');
  });

  it('ends the command before it is stored', async () => {
    const pump = await RawClient.connected(harness.port, { clientId: 'pump' });
    await pump.subscribe(['devices/pump/commands/#', 0]);
    const given = give();
    await pump.next('publish');
    harness.intake.hold();
    pump.send(
      publishBytes({
        topic: `devices/pump/responses/${given.requestId}`,
        payload: '{"status":200}',
        qos: 1,
        packetId: 1,
      }),
    );
    await becomes(given, 'done');
    expect(harness.intake.payloads()).toEqual([]);
    harness.intake.letGo();
  });
});

describe('a command that a client publishes to a device of another source', () => {
  const topic = 'devices/drive/commands/turn';
  const written = () => line.sent.map(({ name, params }) => `${name} ${JSON.stringify(params)}`);
  const isWritten = (count: number) =>
    waitFor(() => line.sent.length === count, { what: `${count} commands`, timeoutMs: 5_000 });

  it('goes to subscribers as it is, and its answer too, also later to a session that is away', async () => {
    const away = await RawClient.connected(harness.port, { clientId: 'away', clean: false });
    await away.subscribe(['devices/drive/responses/+', 1]);
    away.disconnect();
    await away.gone();
    const watcher = await RawClient.connected(harness.port, { clientId: 'watcher' });
    await watcher.subscribe(['devices/drive/commands/+', 1], ['devices/drive/responses/+', 1]);
    const payload = '{"request_id":"r1", "params":3}';
    const publisher = await RawClient.connected(harness.port, { clientId: 'publisher' });
    await respond(publisher, topic, payload);
    await isWritten(1);
    line.answer({ status: 200, result: 3 });
    await waitFor(() => watcher.messages().length === 2, { what: 'the answer', timeoutMs: 5_000 });
    const answer = 'devices/drive/responses/r1 {"status":200,"result":3} q1';
    expect([written(), watcher.messages()]).toEqual([['turn 3'], [`${topic} ${payload} q1`, answer]]);
    expect(harness.source.ignoredResponses()).toMatchObject({ unknown_request: 0 });
    const back = await RawClient.connected(harness.port, { clientId: 'away', clean: false });
    await back.quiet();
    expect(back.messages()).toEqual([answer]);
  });

  it('is given while the disk has not taken it', async () => {
    const publisher = await RawClient.connected(harness.port, { clientId: 'publisher' });
    harness.intake.hold();
    publisher.send(publishBytes({ topic, payload: '', qos: 1, packetId: 1 }));
    await isWritten(1);
    expect(publisher.ids('puback')).toEqual([]);
    harness.intake.letGo();
    await publisher.next('puback');
  });

  it('is run once in an exchange of QoS 2', async () => {
    const publisher = await RawClient.connected(harness.port, { clientId: 'publisher' });
    for (const dup of [false, true]) {
      publisher.send(publishBytes({ topic, payload: '{"params":1}', qos: 2, packetId: 5, dup }));
      await publisher.next('pubrec');
    }
    publisher.send(ackBytes('pubrel', 5));
    await publisher.next('pubcomp');
    publisher.send(publishBytes({ topic, payload: '{"params":2}', qos: 2, packetId: 5 }));
    await publisher.next('pubrec');
    await isWritten(2);
    expect(written()).toEqual(['turn 1', 'turn 2']);
    expect(harness.source.refusedCommands()).toEqual({ unknown_repetition: 1 });
  });

  it('may be its will', async () => {
    const will = { topic, payload: '{"params":"home"}', qos: 1 } as const;
    const mortal = await RawClient.connected(harness.port, { clientId: 'mortal', will });
    mortal.break();
    await isWritten(1);
    expect(written()).toEqual(['turn "home"']);
  });

  it('is denied to a device without a grant', async () => {
    for (const id of ['meter', 'drive']) {
      harness.access.secrets.set(id, 'secret');
      const own = { clientId: id, username: id, password: 'secret' };
      const client = await RawClient.connected(harness.securePort, own);
      await respond(client, topic, '');
    }
    expect([written(), harness.source.deniedCount()]).toEqual([[], 2]);
  });
});
