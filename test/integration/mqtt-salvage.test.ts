/** The real gateway puts back a damaged log, on which messages for MQTT sessions point, and clients come meanwhile. */

import { closeSync, openSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import mqtt from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { markSuspect } from '../../src/store/damage/suspect.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { ackBytes, packetIdOf, RawClient, type RawPacket } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const TELEMETRY = 'devices/meter/telemetry';
/** No route knows it: its messages are no records, and need none. */
const LOCAL = 'house/lamp';
const PAGE_BYTES = 4096;
const HOLDER = new URL('../support/hold-salvage.ts', import.meta.url).href;

describe('messages for a session whose records are put back of a damaged log', () => {
  let gateway: GatewayProcess;
  let hold: string;

  beforeEach(async () => {
    gateway = await GatewayProcess.create({
      nodeOptions: ['--import', HOLDER],
      env: { SLUICE_TEST_HOLD: '{directory}/hold' },
    });
    hold = join(gateway.directory, 'hold');
    await gateway.start();
    for (const clientId of ['panel', 'phone']) {
      const client = await RawClient.connected(gateway.mqttPort, { clientId, clean: false });
      await client.subscribe([TELEMETRY, 2], [LOCAL, 1]);
      client.disconnect();
      await client.gone();
    }
    await publish([LOCAL, 'before'], [TELEMETRY, '{"n":1}'], [LOCAL, 'between'], [TELEMETRY, '{"n":2}']);
  });

  afterEach(() => gateway.dispose());

  async function publish(...messages: readonly (readonly [topic: string, payload: string])[]): Promise<void> {
    const sender = await mqtt.connectAsync({ host: '127.0.0.1', port: gateway.mqttPort, clientId: 'sender' });
    for (const [topic, payload] of messages) await sender.publishAsync(topic, payload, { qos: 2 });
    await sender.endAsync();
  }

  async function connected(clientId: string): Promise<RawClient> {
    return await RawClient.connected(gateway.mqttPort, { clientId, clean: false });
  }

  /** Sets the log aside as a whole, and stops before anything of it is put back. */
  async function damage(
    destroy: (logFile: string) => void = () => undefined,
    end: NodeJS.Signals = 'SIGTERM',
  ): Promise<void> {
    const logFile = join(gateway.dataDir, 'log.db');
    await gateway.stop(end);
    destroy(logFile);
    markSuspect(logFile);
    writeFileSync(hold, '');
    await gateway.start();
  }

  async function salvaged(): Promise<number | null> {
    return ((await gateway.get('/v1/buffer')) as { salvaged: number | null }).salvaged;
  }

  async function letGo(): Promise<void> {
    expect(await salvaged()).not.toBeNull();
    rmSync(hold);
    await waitFor(async () => (await salvaged()) === null, { what: 'the end of the salvage', timeoutMs: 20_000 });
  }

  /** Takes so many messages, and acknowledges each as its QoS asks. */
  async function take(client: RawClient, count: number): Promise<readonly string[]> {
    await waitFor(() => client.messages().length >= count, { what: () => `${client.messages()}`, timeoutMs: 10_000 });
    await client.quiet();
    const messages = client.messages();
    const packets = publishes(client);
    client.received.length = 0;
    for (const packet of packets) {
      const isExactlyOnce = (packet.flags & 4) !== 0;
      client.send(ackBytes(isExactlyOnce ? 'pubrec' : 'puback', packetIdOf(packet)));
      if (isExactlyOnce) client.send(ackBytes('pubcomp', (await client.next('pubrel')).body.readUInt16BE(0)));
    }
    expect(new Set(packets.map(packetIdOf)).size).toBe(count);
    await client.quiet();
    return messages;
  }

  it('wait for them, in their order, whether their client comes before the end or behind it', async () => {
    await damage();
    const early = await connected('panel');
    await early.quiet();
    await publish([TELEMETRY, '{"n":3}'], [LOCAL, 'after']);
    await early.quiet();
    expect(early.sessionPresent).toBe(true);
    expect(early.messages()).toEqual([`${LOCAL} before q1`]);
    await letGo();
    const all = [
      `${LOCAL} before q1`,
      `${TELEMETRY} {"n":1} q2`,
      `${LOCAL} between q1`,
      `${TELEMETRY} {"n":2} q2`,
      `${TELEMETRY} {"n":3} q2`,
      `${LOCAL} after q1`,
    ];
    expect(await take(early, 6)).toEqual(all);
    const late = await connected('phone');
    expect(await take(late, 6)).toEqual(all);
    await gateway.stop('SIGTERM');
    await gateway.start();
    for (const clientId of ['panel', 'phone']) {
      const again = await connected(clientId);
      await again.quiet();
      expect(again.messages()).toEqual([]);
    }
  });

  it('are given up, and that is said, when their records do not come back', async () => {
    await damage(destroyTelemetry);
    const client = await connected('panel');
    await letGo();
    expect(await take(client, 2)).toEqual([`${LOCAL} before q1`, `${LOCAL} between q1`]);
    expect(gateway.logTail()).toMatch(/"clientId":"panel","count":2.*lost with the damaged log/);
  });

  it('are brought to their end where their client had received them, without waiting for the record', async () => {
    const before = await connected('panel');
    const received = await waitFor(() => before.messages().length === 4 && publishes(before)[1], {
      what: 'the messages',
      timeoutMs: 10_000,
    });
    before.send(ackBytes('pubrec', packetIdOf(received)));
    await before.next('pubrel');
    await damage();
    const after = await connected('panel');
    expect((await after.next('pubrel')).body.readUInt16BE(0)).toBe(packetIdOf(received));
    after.send(ackBytes('pubcomp', packetIdOf(received)));
    await after.quiet();
    expect(after.messages()).toEqual([`${LOCAL} before q1`, `${LOCAL} between q1`]);
    await letGo();
    expect(await take(after, 3)).toEqual([`${LOCAL} before q1`, `${LOCAL} between q1`, `${TELEMETRY} {"n":2} q2`]);
  });

  it('are retained again when it is put back, unless newer ones came meanwhile', async () => {
    const sender = await mqtt.connectAsync({ host: '127.0.0.1', port: gateway.mqttPort, clientId: 'sender' });
    for (const name of ['old', 'removed', 'replaced']) await retain(sender, name, '{"n":1}');
    await waitFor(() => retainedIn(gateway.dataDir) === 3, { what: 'state.db to have them', timeoutMs: 10_000 });
    for (const [name, payload] of [
      ['old', '{"n":2}'],
      ['removed', ''],
      ['replaced', '{"n":2}'],
      ['new', '{"n":2}'],
    ] as const)
      await retain(sender, name, payload);
    await damage(undefined, 'SIGKILL');
    sender.end(true);
    const later = await mqtt.connectAsync({ host: '127.0.0.1', port: gateway.mqttPort, clientId: 'sender' });
    await retain(later, 'replaced', '{"n":3}');
    await later.endAsync();
    await letGo();
    const wanted = ['new {"n":2}', 'old {"n":2}', 'replaced {"n":3}'];
    let found: readonly string[] = [];
    const isBack = async () => {
      found = await retained();
      return JSON.stringify(found) === JSON.stringify(wanted);
    };
    await waitFor(isBack, { what: () => `${wanted}, not ${found}`, timeoutMs: 10_000 });
  });

  async function retain(client: mqtt.MqttClient, name: string, payload: string): Promise<void> {
    await client.publishAsync(`devices/${name}/telemetry`, payload, { qos: 1, retain: true });
  }

  /** As a new subscriber gets them. */
  async function retained(): Promise<readonly string[]> {
    const client = await RawClient.connected(gateway.mqttPort, { clientId: 'looker' });
    await client.subscribe(['devices/+/telemetry', 0]);
    await client.quiet();
    client.disconnect();
    const messages = client
      .messages()
      .map((message) => message.replace(/^devices\/(\w+)\/telemetry (.*) q0r$/, '$1 $2'));
    return messages.toSorted();
  }
});

/** Read beside a running gateway. */
function retainedIn(dataDir: string): number {
  const db = new Database(join(dataDir, 'state.db'), { readonly: true });
  try {
    return db.prepare<[], number>('SELECT count(*) FROM retained').pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

function publishes({ received }: RawClient): readonly RawPacket[] {
  return received.filter(({ type }) => type === 'publish');
}

/** The only page with records. */
function destroyTelemetry(logFile: string): void {
  const db = new Database(logFile, { readonly: true });
  const page = db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'telemetry'").pluck().get() as number;
  db.close();
  const fd = openSync(logFile, 'r+');
  writeSync(fd, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, (page - 1) * PAGE_BYTES);
  closeSync(fd);
}
