/** The real gateway is killed while clients with wills are connected. */

import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it } from 'vitest';
import { GatewayProcess } from '../support/gateway-process.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { SeededRandom } from '../support/random.ts';
import { waitFor } from '../support/wait-for.ts';

const FORGET = ['--import', new URL('../crash/forget-wills.ts', import.meta.url).href];
const WILLS = Array.from({ length: 20 }, (_, n) => `meter-${n}`);
const LAST_WORDS = WILLS.map((id) => `${id} is gone`);

let gateway: GatewayProcess;

afterEach(() => gateway.dispose());

async function start(nodeOptions: readonly string[] = []): Promise<void> {
  gateway = await GatewayProcess.create({ nodeOptions });
  await gateway.start();
}

async function kill(): Promise<void> {
  await gateway.stop('SIGKILL');
  await gateway.start();
}

/** All of them, in this order, with a will each: as an event, and every second one retained. */
async function connectAll(): Promise<readonly RawClient[]> {
  const clients: RawClient[] = [];
  for (const [n, clientId] of WILLS.entries()) {
    const topic = `devices/${clientId}/events/will`;
    const will = { topic, payload: `${clientId} is gone`, qos: 1, retain: n % 2 === 0 } as const;
    clients.push(await RawClient.connected(gateway.mqttPort, { clientId, will }));
  }
  return clients;
}

function count(file: string, sql: string): number {
  const db = new Database(join(gateway.dataDir, file), { readonly: true, fileMustExist: true });
  try {
    return db.prepare<[], number>(sql).pluck().get() ?? 0;
  } finally {
    db.close();
  }
}

async function onDisk(expected: number): Promise<void> {
  const wills = () => count('state.db', 'SELECT count(*) FROM wills');
  await waitFor(() => wills() === expected, { what: () => `${wills()} of ${expected} wills`, timeoutMs: 10_000 });
}

/** What became a record, in the order of seq. */
async function events(): Promise<readonly string[]> {
  const { records } = (await gateway.get('/v1/records?stream=events&order=oldest&limit=1000')) as {
    records: readonly { readonly text: string }[];
  };
  return records.map(({ text }) => text);
}

describe('after a kill', () => {
  it('every will is published once, to sessions and retained too, and goes before what its client sends then', async () => {
    await start();
    const panel = await RawClient.connected(gateway.mqttPort, { clientId: 'panel', clean: false });
    await panel.subscribe(['devices/+/events/will', 1]);
    await connectAll();
    await onDisk(WILLS.length);
    await kill();
    const [first = ''] = WILLS;
    const back = await RawClient.connected(gateway.mqttPort, { clientId: first });
    await back.ping(publishBytes({ topic: `devices/${first}/events/birth`, payload: 'back', qos: 1, packetId: 1 }));
    await back.next('puback');
    await onDisk(0);
    await kill();
    expect(await events()).toEqual([...LAST_WORDS, 'back']);
    const late = await RawClient.connected(gateway.mqttPort, { clientId: 'late' });
    await late.subscribe(['devices/+/events/will', 0]);
    await late.quiet();
    expect(late.messages().length).toBe(WILLS.length / 2);
    const again = await RawClient.connected(gateway.mqttPort, { clientId: 'panel', clean: false });
    await again.quiet();
    expect(again.messages().map((line) => line.split(' ').slice(1, -1).join(' '))).toEqual(LAST_WORDS);
  });

  it('every will is published once also when the kills come one after the other, at random moments', async () => {
    await start();
    await connectAll();
    await onDisk(WILLS.length);
    const random = new SeededRandom(7);
    for (let round = 0; round < 5; round += 1) {
      await gateway.stop('SIGKILL');
      gateway.launch();
      await waitFor(() => count('state.db', 'SELECT count(*) FROM wills') < WILLS.length || random.chance(0.05), {
        what: 'wills that are published',
        timeoutMs: 20_000,
        everyMs: 5,
      });
    }
    await gateway.ready();
    await onDisk(0);
    expect(await events()).toEqual(LAST_WORDS);
    await waitFor(() => count('log.db', 'SELECT count(*) FROM handshakes') === 0, {
      what: 'no key left',
      timeoutMs: 10_000,
    });
  });

  it('nothing is left of clients that said goodbye, and of a gateway that was stopped', async () => {
    await start();
    const clients = await connectAll();
    await onDisk(WILLS.length);
    for (const client of clients.slice(1)) client.disconnect();
    await onDisk(1);
    await kill();
    expect(await events()).toEqual(LAST_WORDS.slice(0, 1));
    await connectAll();
    await onDisk(WILLS.length);
    await gateway.stop();
    await gateway.start();
    expect(await events()).toEqual(LAST_WORDS.slice(0, 1));
  });

  it('no will is published by the control, which writes none to the disk', async () => {
    await start(FORGET);
    const clients = await connectAll();
    for (const client of clients) await client.quiet();
    await kill();
    expect(await events()).toEqual([]);
  });
});
