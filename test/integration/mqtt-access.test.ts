import { afterEach, describe, expect, it } from 'vitest';
import { logText, type MqttHarness, startMqtt, stopMqtt } from '../support/mqtt-harness.ts';
import { ackBytes, connectBytes, publishBytes, RawClient, type RawConnect } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const SECRET = 'kept-by-the-meter';

async function withMeter(options?: Parameters<typeof startMqtt>[0]): Promise<MqttHarness> {
  const harness = await startMqtt(options);
  harness.access.secrets.set('meter', SECRET);
  harness.access.secrets.set('pump', 'kept-by-the-pump');
  return harness;
}

function asMeter(changes: Partial<RawConnect> = {}): RawConnect {
  return { clientId: 'meter-1', username: 'meter', password: SECRET, ...changes };
}

async function codeOf(port: number, options: RawConnect): Promise<number | undefined> {
  const client = await RawClient.open(port);
  const code = await client.connect(options);
  if (code !== 0) await client.gone();
  return code;
}

async function publish(client: RawClient, topic: string, retain = false): Promise<void> {
  client.send(publishBytes({ topic, payload: '1', qos: 1, packetId: 1, retain }));
  await client.next('puback');
}

afterEach(stopMqtt);

describe('a listener that asks for a secret', () => {
  it('lets a device in with it, and nobody without', async () => {
    const { securePort, logger } = await withMeter();
    expect(await codeOf(securePort, asMeter())).toBe(0);
    expect(await codeOf(securePort, asMeter({ password: 'not-the-secret' }))).toBe(4);
    expect(await codeOf(securePort, { clientId: 'x' })).toBe(5);
    expect(logText(logger)).not.toContain('not-the-secret');
    expect(logger.lines.filter(({ message }) => message === 'MQTT client refused').length).toBe(2);
  });

  it('logs a device that fails again and again once', async () => {
    const { securePort, logger } = await withMeter();
    for (let attempt = 0; attempt < 10; attempt += 1) await codeOf(securePort, asMeter({ password: 'wrong' }));
    expect(logger.lines.filter(({ level }) => level === 'warn').length).toBe(1);
  });
});

describe('a client that leaves while its secret is checked', () => {
  it('is known to be gone', async () => {
    const { access, securePort } = await withMeter();
    const { promise: asked, resolve: ask } = Promise.withResolvers<() => boolean>();
    const { promise: checked, resolve: check } = Promise.withResolvers<void>();
    access.beforeAnswer = (isGone) => {
      ask(isGone);
      return checked;
    };
    const client = await RawClient.open(securePort);
    client.send(connectBytes(asMeter()));
    const isGone = await asked;
    expect(isGone()).toBe(false);
    client.socket.destroy();
    await waitFor(isGone, { what: 'the gateway to see that it left', timeoutMs: 5_000 });
    check();
  });
});

describe('a device that retains more than its share', () => {
  it('takes no room from another one, and is told of in the log', async () => {
    const { port, securePort, logger } = await withMeter();
    const greedy = await RawClient.connected(securePort, asMeter());
    const payload = 'x'.repeat(250_000);
    for (let n = 1; n <= 10; n += 1) {
      const topic = `devices/meter/events/${n}`;
      greedy.send(publishBytes({ topic, payload, qos: 1, packetId: n, retain: true }));
      await greedy.next('puback');
    }
    const pump = await RawClient.connected(securePort, {
      ...asMeter({ clientId: 'pump-1', username: 'pump' }),
      password: 'kept-by-the-pump',
    });
    await publish(pump, 'devices/pump/events/1', true);
    const reader = await RawClient.connected(port, { clientId: 'reader' });
    await reader.subscribe(['devices/+/events/+', 0]);
    await waitFor(() => reader.messages().length >= 9, { what: 'what is retained', timeoutMs: 5_000 });
    await reader.quiet();
    expect(reader.messages().map((text) => text.split(' ')[0])).toEqual([
      ...[1, 2, 3, 4, 5, 6, 7, 8].map((n) => `devices/meter/events/${n}`),
      'devices/pump/events/1',
    ]);
    expect(logText(logger)).toContain('message not retained');
  });
});

describe('a loopback listener', () => {
  it('checks a name that is given, too', async () => {
    const { port } = await withMeter();
    expect(await codeOf(port, { clientId: 'x' })).toBe(0);
    expect(await codeOf(port, asMeter({ password: 'wrong' }))).toBe(4);
    const meter = await RawClient.connected(port, asMeter());
    expect(await meter.subscribe(['#', 0])).toEqual([0x80]);
  });
});

describe('a grant', () => {
  it('lets a device publish and subscribe beside its own topics, and no further', async () => {
    const grant = { device: 'm*', publish: ['tele/{device}/#'], subscribe: ['cmnd/{device}/#'] };
    const { intake, access, port, securePort } = await startMqtt({ mqtt: { grants: [grant] } });
    access.secrets.set('meter', SECRET);
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['tele/#', 0]);
    const meter = await RawClient.connected(securePort, asMeter());
    expect(await meter.subscribe(['cmnd/meter/#', 0], ['cmnd/#', 0])).toEqual([0, 0x80]);
    for (const topic of ['tele/meter/SENSOR', 'tele/pump/SENSOR', 'cmnd/meter/x']) await publish(meter, topic);
    await subscriber.quiet();
    expect(intake.stored.map(({ topic }) => topic)).toEqual(['tele/meter/SENSOR']);
    expect(subscriber.messages()).toEqual(['tele/meter/SENSOR 1 q0']);
  });
});

describe('a device', () => {
  it('publishes under its own name only; what is denied is acknowledged, not stored, not routed, not retained', async () => {
    const { source, intake, port, securePort, logger } = await withMeter();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['#', 0]);
    const meter = await RawClient.connected(securePort, asMeter());
    for (const topic of ['devices/pump/telemetry', 'devices/meter/status', 'devices/meter/commands/x', '$SYS/x', 'x']) {
      await publish(meter, topic, true);
      await publish(meter, topic);
    }
    await publish(meter, 'devices/meter/telemetry');
    await subscriber.quiet();
    expect(intake.stored.map(({ topic }) => topic)).toEqual(['devices/meter/telemetry']);
    const routed = subscriber.messages().filter((text) => !text.endsWith('r'));
    expect(routed).toEqual(['devices/meter/status online q0', 'devices/meter/telemetry 1 q0']);
    expect(source.deniedCount()).toBe(10);
    expect(logger.lines.filter(({ message }) => message === 'MQTT publish denied').length).toBe(5);
    const late = await RawClient.connected(port, { clientId: 'late' });
    await late.subscribe(['#', 0], ['$SYS/#', 0]);
    await late.quiet();
    expect(late.messages()).toEqual(['devices/meter/status online q0r']);
  });

  it('is named with what it publishes; a client without a login is not', async () => {
    const { intake, port, securePort } = await withMeter();
    await publish(await RawClient.connected(securePort, asMeter()), 'devices/meter/pump/temperature');
    await publish(await RawClient.connected(port, { clientId: 'trusted' }), 'devices/meter/telemetry');
    expect(intake.senders).toEqual(['meter', null]);
  });

  it('is denied with QoS 0 and 2 as well, and its next messages pass', async () => {
    const { source, intake, securePort } = await withMeter();
    const meter = await RawClient.connected(securePort, asMeter());
    const topic = 'devices/pump/telemetry';
    meter.send(publishBytes({ topic, payload: '0' }), publishBytes({ topic, payload: '2', qos: 2, packetId: 5 }));
    await meter.next('pubrec');
    meter.send(ackBytes('pubrel', 5));
    await meter.next('pubcomp');
    meter.send(publishBytes({ topic: 'devices/meter/telemetry', payload: 'mine', qos: 2, packetId: 5 }));
    await meter.next('pubrec');
    expect(intake.payloads()).toEqual(['mine']);
    expect(source.deniedCount()).toBe(2);
  });

  it('subscribes under its own name only', async () => {
    const { securePort } = await withMeter();
    const meter = await RawClient.connected(securePort, asMeter());
    const codes = await meter.subscribe(
      ['devices/meter/#', 1],
      ['devices/meter/commands/+', 2],
      ['devices/+/telemetry', 0],
      ['devices/pump/#', 0],
      ['#', 0],
      ['$SYS/#', 0],
    );
    expect(codes).toEqual([1, 2, 0x80, 0x80, 0x80, 0x80]);
  });

  it('gets nothing of what it was denied, not even in a session that is kept', async () => {
    const { port, securePort } = await withMeter();
    const options = asMeter({ clean: false });
    const meter = await RawClient.connected(securePort, options);
    expect(await meter.subscribe(['devices/meter/#', 1], ['devices/pump/#', 1])).toEqual([1, 0x80]);
    meter.disconnect();
    await meter.gone();
    const panel = await RawClient.connected(port, { clientId: 'panel' });
    await publish(panel, 'devices/pump/events/secret');
    await publish(panel, 'devices/meter/commands/restart');
    const again = await RawClient.connected(securePort, options);
    expect(again.sessionPresent).toBe(true);
    await again.next('publish');
    await publish(panel, 'devices/pump/events/secret');
    await again.quiet();
    expect(again.messages().filter((text) => text.includes('pump'))).toEqual([]);
  });

  it('has its will judged like a publish', async () => {
    const { intake, source, port, securePort } = await withMeter();
    const subscriber = await RawClient.connected(port, { clientId: 's' });
    await subscriber.subscribe(['devices/+/events/#', 1]);
    const will = { payload: 'gone', qos: 1, retain: true } as const;
    const bad = await RawClient.connected(
      securePort,
      asMeter({ clientId: 'bad', will: { ...will, topic: 'devices/pump/events/will' } }),
    );
    const good = await RawClient.connected(
      securePort,
      asMeter({ clientId: 'good', will: { ...will, topic: 'devices/meter/events/will' } }),
    );
    bad.break();
    await waitFor(() => source.deniedCount() === 1, { what: 'the denied will', timeoutMs: 5_000 });
    good.break();
    await subscriber.next('publish');
    expect(intake.stored.map(({ topic }) => topic)).toEqual(['devices/meter/events/will']);
  });

  it('is not thrown off by anybody else who uses its client id', async () => {
    const { port, securePort } = await withMeter();
    const meter = await RawClient.connected(securePort, asMeter());
    expect(await codeOf(port, { clientId: 'meter-1' })).toBe(2);
    const pump = { clientId: 'meter-1', username: 'pump', password: 'kept-by-the-pump' };
    expect(await codeOf(securePort, pump)).toBe(2);
    await meter.ping();
  });

  it('is thrown off by itself, as the standard says', async () => {
    const { source, securePort } = await withMeter();
    const first = await RawClient.connected(securePort, asMeter());
    const second = await RawClient.connected(securePort, asMeter());
    await first.gone();
    await second.quiet();
    expect(source.clientCount()).toBe(1);
  });

  it('is disconnected when it is removed', async () => {
    const { source, securePort } = await withMeter();
    const meter = await RawClient.connected(securePort, asMeter());
    await source.forget('pump');
    await meter.quiet();
    await source.forget('meter');
    await meter.gone();
  });

  it('that sends faster than it may has sent all before it is removed, not behind that', async () => {
    const { source, intake, securePort } = await withMeter({ mqtt: { maxPublishRate: 1 } });
    const meter = await RawClient.connected(securePort, asMeter());
    const message = publishBytes({ topic: 'devices/meter/telemetry', payload: '1', qos: 0 });
    await meter.ping(...Array(5).fill(message));
    expect(intake.stored.length).toBe(1);
    await source.forget('meter');
    await intake.settled();
    expect(intake.stored.length).toBe(5);
  });

  it('leaves nothing of its sessions to another one of the same id when it is removed', async () => {
    const { source, securePort, port, sessions } = await withMeter();
    const away = await RawClient.connected(securePort, asMeter({ clientId: 'meter-2', clean: false }));
    await away.subscribe(['devices/meter/#', 1]);
    away.disconnect();
    await away.gone();
    const meter = await RawClient.connected(securePort, asMeter({ clean: false }));
    await meter.subscribe(['devices/meter/#', 1]);
    const trusted = await RawClient.connected(port, { clientId: 'trusted', clean: false });
    await publish(trusted, 'devices/meter/cmd');
    await source.forget('meter');
    expect((await sessions.loadSessions(0, 10)).map(({ clientId }) => clientId)).toEqual(['trusted']);
    expect(await sessions.loadQueues({ place: 0, session: 0 }, 10)).toEqual({ messages: [], upTo: null });
    await meter.gone();
    for (const clientId of ['meter-1', 'meter-2']) {
      const next = await RawClient.open(securePort);
      next.send(connectBytes(asMeter({ clientId, clean: false })));
      expect([...(await next.next('connack')).body]).toEqual([0, 0]);
      await next.quiet();
      expect(next.messages()).toEqual([]);
    }
  });
});

describe('a trusted client', () => {
  it('publishes anything but what is the broker’s own', async () => {
    const { source, intake, port } = await withMeter();
    const panel = await RawClient.connected(port, { clientId: 'panel' });
    for (const topic of ['devices/a/telemetry', 'plant/x', 'devices/a/commands/x']) await publish(panel, topic);
    for (const topic of ['$SYS/x', '$SYS', 'devices/a/status']) await publish(panel, topic);
    expect(intake.stored.length).toBe(3);
    expect(source.deniedCount()).toBe(3);
  });

  it('is denied $SYS, and hears nothing of it behind a wildcard', async () => {
    const { port } = await withMeter();
    const panel = await RawClient.connected(port, { clientId: 'panel' });
    expect(await panel.subscribe(['$SYS/#', 0], ['#', 0], ['+/+/new/clients', 0])).toEqual([0x80, 0, 0]);
    await RawClient.connected(port, { clientId: 'other' });
    await panel.quiet();
    expect(panel.messages()).toEqual([]);
  });
});

describe('connections that use the same client id at the same moment', () => {
  it.each([false, true])('may come again after one that left while its session was stored: clean %s', async (clean) => {
    const { port, sessions } = await withMeter();
    const asPanel = { clientId: 'panel', clean };
    if (clean) {
      const first = await RawClient.connected(port, { ...asPanel, clean: false });
      first.disconnect();
      await waitFor(() => sessions.saved.includes('away'), { what: 'a session to end', timeoutMs: 5_000 });
    }
    const disk = Promise.withResolvers<void>();
    let isAsked = false;
    sessions.beforeSave = () => {
      isAsked = true;
      return disk.promise;
    };
    const impatient = await RawClient.open(port);
    impatient.send(connectBytes(asPanel));
    await waitFor(() => isAsked, { what: 'the write', timeoutMs: 5_000 });
    impatient.break();
    await impatient.gone();
    await RawClient.connected(port, { clientId: 'other' });
    disk.resolve();
    expect(await codeOf(port, asPanel)).toBe(0);
  });

  it('leave one of them, and the next one is served', async () => {
    const { source, port } = await startMqtt();
    const clients = await Promise.all(Array.from({ length: 30 }, () => RawClient.open(port)));
    for (const client of clients) void client.connect({ clientId: 'same', clean: false }).catch(() => undefined);
    for (const client of clients.slice(0, 10)) client.break();
    const openCount = () => clients.filter(({ closed }) => !closed).length;
    await waitFor(() => openCount() === 1, { what: 'all but one closed', timeoutMs: 5_000 });
    expect(source.clientCount()).toBe(1);
    const next = await RawClient.connected(port, { clientId: 'same', clean: false });
    await waitFor(() => openCount() === 0, { what: 'the last one closed', timeoutMs: 5_000 });
    await next.quiet();
    expect(source.clientCount()).toBe(1);
  });
});
