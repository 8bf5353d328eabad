import { readFileSync } from 'node:fs';
import mqtt, { type IClientOptions } from 'mqtt';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CertificateAuthority, type IssuedCertificate } from '../support/certificates.ts';
import { type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { listenerFor, makeFiles, startTransport, type TestFiles } from '../support/mqtt-transports.ts';
import { paho } from '../support/paho.ts';
import { startCommand } from '../support/run-command.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC = 'devices/meter/telemetry';
const SECURED = ['tls', 'ws', 'wss'] as const;
type Secured = (typeof SECURED)[number];

let files: TestFiles;
let stranger: CertificateAuthority;
let device: IssuedCertificate;

beforeAll(() => {
  files = makeFiles();
  stranger = new CertificateAuthority('a stranger');
  device = files.authority.issue({ name: 'meter' });
});
afterEach(stopMqtt);
afterAll(() => {
  files.remove();
  stranger.remove();
});

const MAKE = `
def make(client_id, ca, cert=None, key=None):
    client = new(client_id=client_id, transport='tcp' if transport == 'tls' else 'websockets')
    if transport != 'ws': client.tls_set(ca, certfile=cert, keyfile=key)
    return client
`;

/** Only clients with a certificate of the authority are let in. */
async function startClosed(transport: 'tls' | 'wss'): Promise<MqttHarness> {
  const { tls, ...listener } = listenerFor(transport, files);
  const closed = { ...listener, anonymous: false, ...(tls && { tls: { ...tls, requireClientCertificate: true } }) };
  return await startMqtt({ mqtt: { listeners: [closed] } });
}

describe.each(SECURED)("Paho's Python client over %s", (transport) => {
  it('publishes and subscribes with every QoS', async () => {
    const harness = await startTransport(transport, files);
    const output = await paho(
      `${MAKE}
client = make('both', ca)
messages, complete = gathered(client, 30)
connected(client, port)
print(subscribed(client, ('devices/+/telemetry', 2)))
for n in range(30): client.publish(topic, str(n) + 'x' * 20000, qos=n % 3)
assert complete.wait(10), len(messages)
print(sorted((int(m[1].strip('x')), m[2]) for m in messages) == [(n, n % 3) for n in range(30)])
client.disconnect()
client.loop_stop()
`,
      { port: harness.port, ca: files.authority.caFile, transport },
    );
    expect(output.split('\n')).toEqual(['[2]', 'True']);
    await waitFor(() => harness.intake.stored.length === 30, { what: '30 messages', timeoutMs: 5_000 });
  });
});

describe.each(['tls', 'wss'] as const)("Paho's Python client over %s with certificates", (transport) => {
  it('is served with a client certificate, and refuses a gateway it cannot trust', async () => {
    const harness = await startClosed(transport);
    const output = await paho(
      `${MAKE}
import ssl
client = make('certified', ca, cert, key)
print(connected(client, port)[0])
print(subscribed(client, ('devices/meter/#', 1), ('devices/pump/#', 1)))
client.publish(topic, '1', qos=2).wait_for_publish(10)
client.disconnect(); client.loop_stop()
doubting = make('doubting', strangers, cert, key)
try: doubting.connect('127.0.0.1', port)
except ssl.SSLCertVerificationError: print('not trusted')
`,
      {
        port: harness.port,
        ca: files.authority.caFile,
        strangers: stranger.caFile,
        transport,
        cert: device.certFile,
        key: device.keyFile,
      },
    );
    expect(output.split('\n')).toEqual(['0', '[1, 128]', 'not trusted']);
    expect(harness.intake.payloads()).toEqual(['1']);
  });
});

describe.each(SECURED)('mqtt.js over %s', (transport) => {
  async function connect({ port }: MqttHarness, options: IClientOptions = {}) {
    const url = `${transport === 'tls' ? 'mqtts' : transport}://127.0.0.1:${port}${transport === 'tls' ? '' : '/mqtt'}`;
    return await mqtt.connectAsync(url, {
      ca: readFileSync(files.authority.caFile),
      reconnectPeriod: 0,
      ...options,
    });
  }

  it.each([0, 1, 2] as const)('publishes and subscribes with QoS %i', async (qos) => {
    const harness = await startTransport(transport, files);
    const client = await connect(harness);
    const messages: string[] = [];
    client.on('message', (_topic, payload) => messages.push(payload.toString()));
    await client.subscribeAsync(TOPIC, { qos });
    const expected = Array.from({ length: 200 }, (_, n) => `${n}`);
    await Promise.all(expected.map((payload) => client.publishAsync(TOPIC, payload, { qos })));
    await waitFor(() => messages.length === 200, { what: '200 messages', timeoutMs: 5_000 });
    expect(messages).toEqual(expected);
    expect(harness.intake.payloads()).toEqual(expected);
    await client.endAsync();
  });

  it('publishes very much in one turn of its loop', async () => {
    const harness = await startTransport(transport, files);
    const client = await connect(harness);
    const payloads = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(10_000, 'x'));
    await Promise.all(payloads.map((payload) => client.publishAsync(TOPIC, payload, { qos: 1 })));
    expect(harness.intake.payloads()).toEqual(payloads);
    await client.endAsync();
  });

  it('is refused with MQTT 5, and the log says what to set', async () => {
    const harness = await startTransport(transport, files);
    await expect(connect(harness, { protocolVersion: 5 })).rejects.toThrow();
    await waitFor(() => harness.logger.lines.at(-1)?.message === 'MQTT 5 client refused', {
      what: 'the refusal in the log',
      timeoutMs: 5_000,
    });
    expect(harness.logger.lines.at(-1)?.fields['hint']).toContain('protocolVersion: 4');
  });

  it('is refused with a wrong password, and let in with the right one', async () => {
    const harness = await startTransport(transport, files);
    harness.access.secrets.set('meter', 'kept by the meter');
    await expect(connect(harness, { username: 'meter', password: 'wrong' })).rejects.toMatchObject({ code: 4 });
    const client = await connect(harness, { username: 'meter', password: 'kept by the meter' });
    await client.publishAsync(TOPIC, '1', { qos: 1 });
    await client.endAsync();
    expect(harness.presence.told[0]).toBe('meter online');
  });
});

describe.each(['tls', 'wss'] as const)('mqtt.js over %s with certificates', (transport) => {
  function options(certificate: IssuedCertificate): IClientOptions {
    const { certFile, keyFile } = certificate;
    return {
      ca: readFileSync(files.authority.caFile),
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      reconnectPeriod: 0,
    };
  }
  const urlOf = ({ port }: MqttHarness, kind: Secured) =>
    kind === 'tls' ? `mqtts://127.0.0.1:${port}` : `wss://127.0.0.1:${port}/mqtt`;

  it('is the device that its certificate names', async () => {
    const harness = await startClosed(transport);
    const client = await mqtt.connectAsync(urlOf(harness, transport), options(device));
    await client.publishAsync(TOPIC, '1', { qos: 2 });
    await client.endAsync();
    expect(harness.intake.payloads()).toEqual(['1']);
    expect(harness.presence.told[0]).toBe('meter online');
  });

  it.each<[string, () => IssuedCertificate]>([
    ['has expired', () => files.authority.issue({ name: 'meter', expired: true })],
    ['is of another authority', () => stranger.issue({ name: 'meter' })],
  ])('is refused with one that %s', async (_, certificate) => {
    const harness = await startClosed(transport);
    const client = mqtt.connect(urlOf(harness, transport), options(certificate()));
    client.on('error', () => undefined);
    const events: string[] = [];
    client.once('connect', () => events.push('connected'));
    client.once('close', () => events.push('closed'));
    await waitFor(() => events.length > 0, { what: 'an end', timeoutMs: 5_000 });
    client.end(true);
    expect(events).toEqual(['closed']);
    expect(harness.source.clientCount()).toBe(0);
    expect(harness.logger.lines.at(-1)).toMatchObject({ message: 'TLS handshake failed' });
  });

  it('refuses a gateway whose authority it does not know', async () => {
    const harness = await startClosed(transport);
    const wrong = { ...options(device), ca: readFileSync(stranger.caFile) };
    await expect(mqtt.connectAsync(urlOf(harness, transport), wrong)).rejects.toThrow(/certificate/);
  });
});

describe('mosquitto_pub', () => {
  it('publishes over TLS, with a password or a certificate', async () => {
    const listener = listenerFor('tls', files);
    const harness = await startMqtt({ mqtt: { listeners: [{ ...listener, anonymous: false }] } });
    harness.access.secrets.set('meter', 'kept by the meter');
    const base = [
      '-h',
      '127.0.0.1',
      '-p',
      `${harness.port}`,
      '--cafile',
      files.authority.caFile,
      '-t',
      TOPIC,
      '-q',
      '2',
    ];
    const publish = async (payload: string, ...args: readonly string[]) =>
      (
        await startCommand('mosquitto_pub', [...base, '-m', payload, ...args], { debianPackage: 'mosquitto-clients' })
          .ended
      ).code;
    expect(await publish('1', '-u', 'meter', '-P', 'kept by the meter')).toBe(0);
    expect(await publish('2', '--cert', device.certFile, '--key', device.keyFile)).toBe(0);
    expect(await publish('3')).not.toBe(0);
    expect(harness.intake.payloads()).toEqual(['1', '2']);
  });
});
