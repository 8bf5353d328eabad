/** The real gateway is killed, and clients that were not written by us find everything as it was. */

import mqtt from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { ackBytes, packetIdOf, RawClient } from '../support/mqtt-raw-client.ts';
import { startCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

const TELEMETRY = 'devices/meter/telemetry';
const LOCAL = 'house/lamp';

let gateway: GatewayProcess;

beforeEach(async () => {
  gateway = await GatewayProcess.create();
  await gateway.start();
});

afterEach(() => gateway.dispose());

async function kill(): Promise<void> {
  await gateway.stop('SIGKILL');
  await gateway.start();
}

async function mosquitto(program: 'mosquitto_pub' | 'mosquitto_sub', args: readonly string[], input = '') {
  const all = ['-h', '127.0.0.1', '-p', `${gateway.mqttPort}`, ...args];
  const { code, stdout, stderr } = await startCommand(program, all, { debianPackage: 'mosquitto-clients', input })
    .ended;
  if (code !== 0) throw new Error(`${program}: ${stderr}`);
  return stdout.trimEnd().split('\n');
}

async function publish(topic: string, lines: readonly string[], ...args: readonly string[]): Promise<void> {
  await mosquitto('mosquitto_pub', ['-t', topic, '-q', '2', '-l', ...args], `${lines.join('\n')}\n`);
}

function numbered(count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `{"n":${n}}`);
}

async function panel(clean = false): Promise<RawClient> {
  return await RawClient.connected(gateway.mqttPort, { clientId: 'panel', clean });
}

describe('after a kill', () => {
  it.each([TELEMETRY, LOCAL])('mosquitto_sub finds its session and its queue, in order and once: %s', async (topic) => {
    const session = ['-c', '-i', 'panel', '-q', '2', '-t', topic];
    await mosquitto('mosquitto_sub', [...session, '-E']);
    await publish(topic, numbered(50));
    await kill();
    await publish(topic, ['{"n":"last"}']);
    expect(await mosquitto('mosquitto_sub', [...session, '-C', '51'])).toEqual([...numbered(50), '{"n":"last"}']);
    await kill();
    const late = await panel();
    expect(late.sessionPresent).toBe(true);
    await late.quiet();
    expect(late.messages()).toEqual([]);
    late.disconnect();
  });

  it('retained messages are there, as they were last, and those that were removed are not', async () => {
    await publish(TELEMETRY, numbered(20), '-r');
    await publish('devices/meter/telemetry/t', ['1', '21.50'], '-r');
    await publish(LOCAL, ['on', 'off'], '-r');
    await publish('house/gone', ['here'], '-r');
    await mosquitto('mosquitto_pub', ['-t', 'house/gone', '-q', '1', '-n', '-r']);
    await kill();
    const found = await mosquitto('mosquitto_sub', [
      '-t',
      'house/#',
      '-t',
      'devices/meter/telemetry/#',
      '-v',
      '-C',
      '3',
    ]);
    expect(found.sort()).toEqual([`${TELEMETRY} {"n":19}`, 'devices/meter/telemetry/t 21.50', 'house/lamp off']);
    await mosquitto('mosquitto_pub', ['-t', LOCAL, '-q', '1', '-n', '-r']);
    await kill();
    const late = await panel(true);
    await late.subscribe(['house/#', 1]);
    await late.quiet();
    expect(late.messages()).toEqual([]);
    late.disconnect();
  });

  it('a QoS 2 exchange goes on where it was, under the same packet id', async () => {
    const before = await panel();
    await before.subscribe([LOCAL, 2]);
    await publish(LOCAL, ['received', 'not received']);
    const [received, unreceived] = [packetIdOf(await before.next('publish')), packetIdOf(await before.next('publish'))];
    before.send(ackBytes('pubrec', received));
    await before.next('pubrel');
    await kill();
    const after = await panel();
    expect(after.sessionPresent).toBe(true);
    expect((await after.next('pubrel')).body.readUInt16BE(0)).toBe(received);
    const again = await after.next('publish');
    expect([packetIdOf(again), again.flags & 8]).toEqual([unreceived, 8]);
    after.send(ackBytes('pubcomp', received), ackBytes('pubrec', unreceived));
    await after.next('pubrel');
    await after.ping(ackBytes('pubcomp', unreceived));
    await publish(LOCAL, ['next']);
    expect(packetIdOf(await after.next('publish'))).not.toBe(received);
    after.disconnect();
  });

  it('what was ended stays ended: a session, and a subscription', async () => {
    const first = await panel();
    await first.subscribe([LOCAL, 1], ['house/door', 1]);
    first.send(
      Buffer.from([0xa2, 2 + 2 + 'house/door'.length, 0, 9, 0, 'house/door'.length]),
      Buffer.from('house/door'),
    );
    await first.next('unsuback');
    await kill();
    await publish('house/door', ['open']);
    await publish(LOCAL, ['on']);
    const second = await panel();
    await second.quiet();
    expect(second.messages()).toEqual(['house/lamp on q1']);
    second.break();
    await (await panel(true)).ping();
    await kill();
    const third = await panel();
    await third.quiet();
    expect([third.sessionPresent, third.messages()]).toEqual([false, []]);
    third.disconnect();
  });

  it('mqtt.js and Paho, which come back by themselves, get everything, each message of QoS 2 once', async () => {
    const paho = startCommand('/usr/bin/python3', ['-c', PAHO, `${gateway.mqttPort}`], {
      debianPackage: 'python3-paho-mqtt',
      timeoutMs: 60_000,
    });
    const options = { host: '127.0.0.1', port: gateway.mqttPort, reconnectPeriod: 50 };
    const js = await mqtt.connectAsync({ ...options, clientId: 'js', clean: false });
    js.on('error', () => undefined);
    const seen: string[] = [];
    js.on('message', (_topic, payload) => seen.push(`${payload}`));
    await js.subscribeAsync(TELEMETRY, { qos: 2 });
    await waitFor(() => paho.stdout().includes('subscribed'), { what: 'Paho', timeoutMs: 10_000 });
    const sender = await mqtt.connectAsync({ ...options, clientId: 'sender', clean: false });
    sender.on('error', () => undefined);
    const lines = numbered(300);
    for (let from = 0; from < lines.length; from += 100) {
      const part = lines.slice(from, from + 100);
      const sent = Promise.all(part.map((line) => sender.publishAsync(TELEMETRY, line, { qos: 2 })));
      await kill();
      // mqtt.js gives up what is published while it sends again, when the connection breaks once more.
      await sent;
    }
    await waitFor(() => seen.length >= lines.length, { what: () => `${seen.length} of 300`, timeoutMs: 20_000 });
    expect(seen).toEqual(lines);
    expect((await paho.ended).stdout.trim().split('\n').slice(1)).toEqual(lines);
    await Promise.all([js.endAsync(), sender.endAsync()]);
  });
});

const PAHO = `
import sys, paho.mqtt.client as m
port = int(sys.argv[1])
try: client = m.Client(m.CallbackAPIVersion.VERSION1, client_id='paho', clean_session=False)
except AttributeError: client = m.Client(client_id='paho', clean_session=False)
count = 0
def on_message(client, userdata, message):
    global count
    count += 1
    print(message.payload.decode(), flush=True)
    if count == 300: client.disconnect()
client.on_connect = lambda *a: client.subscribe('${TELEMETRY}', 2)
client.on_subscribe = lambda *a: count == 0 and not hasattr(client, 'told') and (setattr(client, 'told', 1), print('subscribed', flush=True))
client.on_message = on_message
client.reconnect_delay_set(1, 1)
client.connect('127.0.0.1', port)
client.loop_forever()
`;
