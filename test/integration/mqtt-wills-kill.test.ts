/** The real gateway is killed while clients with wills are connected. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GatewayOptions, GatewayProcess } from '../support/gateway-process.ts';
import { publishBytes, RawClient } from '../support/mqtt-raw-client.ts';
import { waitFor } from '../support/wait-for.ts';

const WILLS = Array.from({ length: 20 }, (_, n) => `meter-${n}`);
const LAST_WORDS = WILLS.map((id) => `${id} is gone`);

let gateway: GatewayProcess;

afterEach(() => gateway.dispose());

function importing(...modules: readonly string[]): readonly string[] {
  return modules.flatMap((module) => ['--import', new URL(module, import.meta.url).href]);
}

async function start(options: GatewayOptions = {}): Promise<void> {
  gateway = await GatewayProcess.create(options);
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

/** So many messages and no more. */
async function arrived(client: RawClient, expected: number): Promise<void> {
  const found = () => client.messages().length;
  await waitFor(() => found() >= expected, { what: () => `${found()} of ${expected} messages`, timeoutMs: 10_000 });
  await client.quiet();
  expect(found()).toBe(expected);
}

/** What became a record, in the order of seq. */
async function events(): Promise<readonly string[]> {
  const { records } = (await gateway.get('/v1/records?stream=events&order=oldest&limit=1000')) as {
    records: readonly { readonly text: string }[];
  };
  return records.map(({ text }) => text);
}

/** Some starts of a gateway, on a machine that may be busy. */
const TIMEOUT_MS = 90_000;

describe('after a kill', { timeout: TIMEOUT_MS }, () => {
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
    await arrived(late, WILLS.length / 2);
    const again = await RawClient.connected(gateway.mqttPort, { clientId: 'panel', clean: false });
    await arrived(again, WILLS.length);
    expect(again.messages().map((line) => line.split(' ').slice(1, -1).join(' '))).toEqual(LAST_WORDS);
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
    await start({ nodeOptions: importing('../crash/forget-wills.ts') });
    const clients = await connectAll();
    for (const client of clients) await client.quiet();
    await kill();
    expect(await events()).toEqual([]);
  });
});

describe('killed again and again between the record of a will and its removal', { timeout: TIMEOUT_MS }, () => {
  const [first = ''] = LAST_WORDS;
  let directory: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-died-'));
  });

  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  /** Two starts that end there, and a third one that does not. */
  async function startWithKills(...modules: readonly string[]): Promise<void> {
    const died = join(directory, 'died');
    const nodeOptions = importing(...modules, '../support/die-before-will-is-gone.ts');
    await start({ nodeOptions, env: { SLUICE_TEST_DIED: died } });
    await connectAll();
    await onDisk(WILLS.length);
    await gateway.stop('SIGKILL');
    for (let round = 0; round < 2; round += 1) {
      rmSync(died, { force: true });
      gateway.launch();
      expect(await gateway.exited()).toEqual({ code: null, signal: 'SIGKILL' });
      await onDisk(WILLS.length);
    }
    await gateway.start();
    await onDisk(0);
  }

  it('publishes every will once, and no mark of it is left', async () => {
    await startWithKills();
    expect(await events()).toEqual(LAST_WORDS);
    const marks = () => count('log.db', 'SELECT count(*) FROM handshakes');
    await waitFor(() => marks() === 0, { what: () => `${marks()} marks to go`, timeoutMs: 10_000 });
  });

  it('publishes wills as often as it starts without the marks: this test would notice', async () => {
    await startWithKills('../crash/store-twice.ts');
    expect((await events()).filter((words) => words === first)).toEqual([first, first, first]);
  });
});
