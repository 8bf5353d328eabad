import mqtt, { type IClientOptions } from 'mqtt';
import { afterEach, describe, expect, it } from 'vitest';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { paho } from '../support/paho.ts';
import { startCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/telemetry';
const SECRET = 'kept-by-the-meter';

async function withMeter(): Promise<MqttHarness> {
  const harness = await startMqtt();
  harness.access.secrets.set('meter', SECRET);
  return harness;
}

afterEach(stopMqtt);

describe('mosquitto_pub and mosquitto_sub', () => {
  const tool = { debianPackage: 'mosquitto-clients' };

  async function mosquittoPub(
    port: number,
    ...args: readonly string[]
  ): Promise<{ code: number | null; stderr: string }> {
    return await startCommand('mosquitto_pub', ['-h', '127.0.0.1', '-p', `${port}`, ...args], tool).ended;
  }

  function mosquittoSub(port: number, ...args: readonly string[]) {
    return startCommand('mosquitto_sub', ['-h', '127.0.0.1', '-p', `${port}`, '-v', ...args], tool);
  }

  it.each(['0', '1', '2'])('publish and subscribe with QoS %s', async (qos) => {
    const { source, intake, port } = await startMqtt();
    const sub = mosquittoSub(port, '-t', 'devices/+/telemetry', '-q', qos, '-C', '1');
    await waitFor(() => source.clientCount() === 1, { what: 'the subscriber', timeoutMs: 5_000 });
    // The subscription is known when the broker has answered; a retained message arrives either way.
    const { code } = await mosquittoPub(port, '-t', TOPIC, '-m', '{"t":21.5}', '-q', qos, '-r');
    expect(code).toBe(0);
    expect((await sub.ended).stdout).toBe(`${TOPIC} {"t":21.5}\n`);
    await waitFor(() => intake.stored.length === 1, { what: 'the message', timeoutMs: 5_000 });
    expect(intake.payloads()).toEqual(['{"t":21.5}']);
  });

  it('publish many lines, every one is stored in order', async () => {
    const { intake, port } = await startMqtt();
    const lines = Array.from({ length: 2_000 }, (_, n) => `${n}`);
    const args = ['-h', '127.0.0.1', '-p', `${port}`, '-t', TOPIC, '-q', '2', '-l'];
    const { code } = await startCommand('mosquitto_pub', args, { ...tool, input: `${lines.join('\n')}\n` }).ended;
    expect(code).toBe(0);
    expect(intake.payloads()).toEqual(lines);
    expect(intake.openHandshakes()).toEqual([]);
  });

  it('are refused with a wrong password and let in with the right one', async () => {
    const { intake, securePort } = await withMeter();
    const wrong = await mosquittoPub(securePort, '-t', TOPIC, '-m', '1', '-q', '1', '-u', 'meter', '-P', 'wrong');
    expect(wrong.code).not.toBe(0);
    expect(wrong.stderr).toContain('bad user name or password');
    const anonymous = await mosquittoPub(securePort, '-t', TOPIC, '-m', '1', '-q', '1');
    expect(anonymous.stderr).toContain('not authorised');
    const right = await mosquittoPub(securePort, '-t', TOPIC, '-m', '1', '-q', '1', '-u', 'meter', '-P', SECRET);
    expect(right.code).toBe(0);
    expect(intake.payloads()).toEqual(['1']);
  });

  it('are refused with MQTT 5 and told so', async () => {
    const { logger, port } = await startMqtt();
    const { code, stderr } = await mosquittoPub(port, '-V', 'mqttv5', '-t', TOPIC, '-m', '1', '-q', '1');
    expect(code).not.toBe(0);
    expect(stderr).toMatch(/protocol/i);
    expect(logger.lines.at(-1)?.message).toBe('MQTT 5 client refused');
  });

  it('leave a will and a retained message', async () => {
    const { intake, port } = await startMqtt();
    const will = ['--will-topic', 'devices/meter/events/will', '--will-payload', 'gone', '--will-qos', '1'];
    const sub = mosquittoSub(port, '-t', TOPIC, ...will);
    await mosquittoPub(port, '-t', TOPIC, '-m', '7', '-r', '-q', '1');
    await waitFor(() => sub.stdout() !== '', { what: 'the message', timeoutMs: 5_000 });
    sub.kill();
    await sub.ended;
    await waitFor(() => intake.payloads().includes('gone'), { what: 'the will', timeoutMs: 5_000 });
    expect((await mosquittoSub(port, '-t', TOPIC, '-C', '1').ended).stdout).toBe(`${TOPIC} 7\n`);
  });

  it('keep a session', async () => {
    const { port } = await startMqtt();
    const session = ['-t', TOPIC, '-q', '1', '-c', '-i', 'panel'];
    await mosquittoSub(port, ...session, '-E').ended;
    for (const payload of ['1', '2', '3']) await mosquittoPub(port, '-t', TOPIC, '-m', payload, '-q', '1');
    const { stdout } = await mosquittoSub(port, ...session, '-C', '3').ended;
    expect(stdout).toBe(['1', '2', '3'].map((payload) => `${TOPIC} ${payload}\n`).join(''));
  });
});

describe("Paho's Python client", () => {
  async function python({ port, securePort }: MqttHarness, script: string): Promise<string> {
    return await paho(script, { port, secure: securePort });
  }

  it('publishes and subscribes with every QoS', async () => {
    const harness = await startMqtt();
    const output = await python(
      harness,
      `
client = new(client_id='both')
messages, complete = gathered(client, 30)
connected(client, port)
print(subscribed(client, ('devices/+/telemetry', 2)))
for n in range(30): client.publish(topic, str(n), qos=n % 3)
assert complete.wait(10), messages
print(all((topic, str(n), n % 3, 0) in messages for n in range(30)))
client.disconnect()
client.loop_stop()
`,
    );
    expect(output.split('\n')).toEqual(['[2]', 'True']);
    await waitFor(() => harness.intake.stored.length === 30, { what: '30 messages', timeoutMs: 5_000 });
    expect(harness.intake.payloads()).toEqual(Array.from({ length: 30 }, (_, n) => `${n}`));
  });

  it('keeps a session, with a retained message and a will', async () => {
    const harness = await startMqtt();
    const output = await python(
      harness,
      `
panel = new(client_id='panel', clean_session=False)
print(connected(panel, port)[1])
subscribed(panel, ('devices/meter/#', 1))
panel.disconnect(); panel.loop_stop()
device = new(client_id='device')
device.will_set('devices/meter/events/will', 'gone', qos=1)
connected(device, port)
device.publish(topic, 'kept', qos=1, retain=True).wait_for_publish(10)
device.socket().shutdown(2)
panel = new(client_id='panel', clean_session=False)
messages, complete = gathered(panel, 4)
print(connected(panel, port)[1])
assert complete.wait(10), messages
print(sorted(message[1:] for message in messages))
device.loop_stop()
panel.disconnect(); panel.loop_stop()
late = new(client_id='late')
messages, complete = gathered(late, 1)
connected(late, port)
subscribed(late, (topic, 0))
assert complete.wait(10)
print(messages[0][1:])
`,
    );
    expect(output.split('\n')).toEqual([
      '0',
      '1',
      "[('gone', 1, 0), ('kept', 1, 0), ('offline', 1, 0), ('online', 1, 0)]",
      "('kept', 0, 1)",
    ]);
  });

  it('is refused with a wrong password, and replaced by itself', async () => {
    const harness = await withMeter();
    const output = await python(
      harness,
      `
wrong = new(client_id='m1'); wrong.username_pw_set('meter', 'wrong')
print(connected(wrong, secure)[0]); wrong.loop_stop()
first = new(client_id='m1'); first.username_pw_set('meter', '${SECRET}')
gone = threading.Event()
def on_disconnect(client, userdata, code):
    gone.set(); client.disconnect()
first.on_disconnect = on_disconnect
print(connected(first, secure)[0])
second = new(client_id='m1'); second.username_pw_set('meter', '${SECRET}')
print(connected(second, secure)[0])
print(gone.wait(10))
print(subscribed(second, ('devices/meter/#', 1), ('devices/+/telemetry', 1)))
`,
    );
    expect(output.split('\n').slice(0, 4)).toEqual(['4', '0', '0', 'True']);
    expect(output).toMatch(/\[1, 128\]$/);
  });
});

describe('mqtt.js', () => {
  async function connect(port: number, options: IClientOptions = {}) {
    return await mqtt.connectAsync({ host: '127.0.0.1', port, reconnectPeriod: 0, ...options });
  }

  it.each([0, 1, 2] as const)('publishes and subscribes with QoS %i', async (qos) => {
    const { intake, port } = await startMqtt();
    const client = await connect(port);
    const messages: string[] = [];
    client.on('message', (_topic, payload) => messages.push(payload.toString()));
    expect((await client.subscribeAsync('devices/#', { qos }))[0]?.qos).toBe(qos);
    const expected = Array.from({ length: 200 }, (_, n) => `${n}`);
    await Promise.all(expected.map((payload) => client.publishAsync(TOPIC, payload, { qos })));
    await waitFor(() => messages.filter((text) => text !== 'online').length === 200, {
      what: '200 messages',
      timeoutMs: 5_000,
    });
    expect(messages.filter((text) => text !== 'online')).toEqual(expected);
    expect(intake.payloads()).toEqual(expected);
    await client.endAsync();
  });

  it('sends what was not acknowledged again after a restart of the gateway, and QoS 2 is stored once', async () => {
    const before = await startMqtt();
    const client = await connect(before.port, { clientId: 'js', clean: false, reconnectPeriod: 20 });
    client.on('error', () => undefined);
    before.intake.hold();
    const payloads = Array.from({ length: 20 }, (_, n) => `${n}`);
    const published = Promise.all(payloads.map((payload) => client.publishAsync(TOPIC, payload, { qos: 2 })));
    await waitFor(() => before.intake.waitingCount === 20, { what: '20 messages at the door', timeoutMs: 5_000 });
    const stopped = before.source.stop();
    await stopped;
    before.intake.letGo();
    const { intake } = before;
    const options = { intake, sessions: before.sessions.reopened(), openHandshakes: intake.openHandshakes() };
    const listeners = [{ host: '127.0.0.1', port: before.port, anonymous: true }];
    await startMqtt({ ...options, mqtt: { listeners } });
    await published;
    expect(before.intake.payloads()).toEqual(payloads);
    await waitFor(() => before.intake.openHandshakes().length === 0, { what: 'the last PUBCOMP', timeoutMs: 5_000 });
    await client.endAsync();
  });

  it('is refused with a wrong password', async () => {
    const { securePort } = await withMeter();
    await expect(connect(securePort, { username: 'meter', password: 'wrong' })).rejects.toMatchObject({ code: 4 });
    const client = await connect(securePort, { username: 'meter', password: SECRET });
    await client.publishAsync(TOPIC, '1', { qos: 1 });
    await client.endAsync();
  });
});
