import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KeptMessage } from '../../../src/core/session.ts';
import { STATE_MIGRATIONS } from '../../../src/store/state/schema.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { waitFor } from '../../support/wait-for.ts';
import { walCommits } from '../../support/wal-commits.ts';

const MIB = 1024 * 1024;
const TOPIC = 'devices/device-1/telemetry';

let directory: ReturnType<typeof storeDirectory>;
let store: OpenStore | undefined;

beforeEach(() => {
  directory = storeDirectory();
});

afterEach(async () => {
  await store?.close();
  store = undefined;
  directory.remove();
});

async function open(maxBytes = 64 * MIB): Promise<OpenStore> {
  store = await openStore({ dataDir: directory.dataDir, maxBytes });
  await store.client.saveSessions([{ kind: 'begin', session: 1, clientId: 'phone', owner: '' }]);
  return store;
}

/** A message that is a record, byte for byte. */
function kept(place: number, changes: Partial<KeptMessage> = {}): KeptMessage {
  const copies = [{ session: 1, packetId: place, qos: 1 }] as const;
  return { place, retained: false, qos: 1, at: 1, copies, topic: TOPIC, payload: null, ...changes };
}

function publish(client: OpenStore['client'], place: number, changes: Partial<KeptMessage> = {}) {
  const records = [newRecord({ value: Buffer.from(`{"n":${place}}`) })];
  return client.append({ kind: 'records', records, handshake: null, keep: kept(place, changes) });
}

async function queued(client: OpenStore['client']): Promise<readonly string[]> {
  const { messages } = await client.loadQueues({ place: 0, session: 0 }, 10_000);
  return messages.map(({ content }) =>
    content === null ? 'lost' : `${content.topic} ${Buffer.from(content.payload)}`,
  );
}

function rows(file: string, sql: string): unknown[] {
  const db = new Database(join(directory.dataDir, file), { readonly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
}

describe('what the broker keeps', () => {
  it('points at the record instead of holding its payload a second time', async () => {
    const { client } = await open();
    const { firstSeq } = await publish(client, 5);
    expect(rows('log.db', 'SELECT place, topic, payload, stream, seq FROM packets')).toEqual([
      { place: 5, topic: null, payload: null, stream: 'telemetry', seq: firstSeq },
    ]);
    expect(await queued(client)).toEqual([`${TOPIC} {"n":5}`]);
  });

  it('outlives the record when a limit takes that away', async () => {
    const { client } = await open(4 * MIB);
    for (const place of [1, 2, 3]) await publish(client, place, { retained: place === 2 });
    const filler = newRecord({ value: Buffer.alloc(60_000, 'x') });
    const isGone = async () => {
      await client.append({ kind: 'records', records: [filler, filler], handshake: null });
      return rows('log.db', 'SELECT 1 FROM packets WHERE seq IS NOT NULL').length === 0;
    };
    await waitFor(isGone, { what: 'the records to be reclaimed', timeoutMs: 20_000, everyMs: 1 });
    expect(await queued(client)).toEqual([1, 2, 3].map((place) => `${TOPIC} {"n":${place}}`));
    await waitFor(async () => (await client.loadRetained('', 1)).length === 1, {
      what: 'the retained message',
      timeoutMs: 5_000,
    });
  });

  it('leaves nothing in the log once every session has it and it is retained elsewhere', async () => {
    const { client } = await open();
    await publish(client, 1, { retained: true });
    await publish(client, 2, { copies: [...kept(2).copies, { session: 2, packetId: 1, qos: 2 }] });
    await client.changeQueues([
      { kind: 'removed', session: 1, place: 1 },
      { kind: 'removed', session: 1, place: 2 },
    ]);
    const places = () => rows('log.db', 'SELECT place FROM packets');
    await waitFor(() => places().length === 1, { what: 'the retained message to move', timeoutMs: 5_000 });
    expect(places()).toEqual([{ place: 2 }]);
    await client.changeQueues([{ kind: 'ended', session: 2 }]);
    expect(places()).toEqual([]);
  });

  it('is stored with its record in one commit: retained telemetry waits for one fsync a message', async () => {
    const { client } = await open();
    const commits = () => ['log.db-wal', 'state.db-wal'].map((file) => walCommits(join(directory.dataDir, file)));
    const [logBefore = 0, stateBefore = 0] = commits();
    const startedAt = performance.now();
    for (let place = 1; place <= 100; place += 1) await publish(client, place, { retained: true, copies: [] });
    // Carried over once a second, and that is two commits more.
    const carried = Math.ceil((performance.now() - startedAt) / 1_000) + 1;
    const [log = 0, state = 0] = commits();
    expect(log - logBefore).toBeGreaterThanOrEqual(100);
    expect(log - logBefore).toBeLessThanOrEqual(100 + carried);
    // How far the log has got, and which copy is the newest, is noted there too, each once a second at most.
    expect(state - stateBefore).toBeLessThanOrEqual(3 * carried);
  });

  it('has its place without its content when its record is damaged', async () => {
    const { client, opened } = await open();
    for (const place of [1, 2, 3]) await publish(client, place);
    const db = new Database(opened.logFile);
    db.exec('UPDATE telemetry SET body = zeroblob(40) WHERE seq < 3');
    db.close();
    const first = await client.loadQueues({ place: 0, session: 0 }, 2);
    expect(first.messages.map(({ place, content }) => [place, content])).toEqual([
      [1, null],
      [2, null],
    ]);
    const rest = await client.loadQueues(first.upTo ?? { place: 0, session: 0 }, 2);
    expect(rest.messages.map(({ place }) => place)).toEqual([3]);
  });

  function change(statement: string): void {
    const db = new Database(join(directory.dataDir, 'log.db'));
    expect(db.prepare(statement).run().changes).toBe(1);
    db.close();
  }

  it.each([
    ['payload', "UPDATE packets SET payload = CAST('other' AS BLOB) WHERE place = 1"],
    ['topic', "UPDATE packets SET topic = 'a/c' WHERE place = 1"],
    ['place', 'UPDATE packets SET place = 9 WHERE place = 1'],
    ['record', 'UPDATE packets SET seq = seq + 1 WHERE place = 3'],
    ['session', 'UPDATE queued SET session = 2 WHERE place = 1'],
    ['place in the queue', 'UPDATE queued SET place = 2, session = 2 WHERE place = 1'],
    ['QoS', 'UPDATE queued SET qos = 2 WHERE place = 1'],
  ])('sends no message whose %s is damaged, to nobody, and says so at the next start', async (what, statement) => {
    const { client } = await open();
    await client.saveSessions([{ kind: 'begin', session: 2, clientId: 'panel', owner: '' }]);
    for (const place of [1, 2]) {
      const keep = kept(place, { topic: 'a/b', payload: Buffer.from(`p${place}`) });
      await client.append({ kind: 'records', records: [], handshake: null, keep });
    }
    await publish(client, 3);
    await publish(client, 4);
    change(statement);
    const whole = ['a/b p1', 'a/b p2', `${TOPIC} {"n":3}`, `${TOPIC} {"n":4}`];
    const left = whole.filter((_, index) => index !== (what === 'record' ? 2 : 0));
    expect(await queued(client)).toEqual(left);
    await store?.close();
    store = await openStore({ dataDir: directory.dataDir });
    expect(store.opened.repairs).toEqual([expect.stringMatching(/^1 messages for MQTT sessions/)]);
    expect(await queued(store.client)).toEqual(left);
    await store.close();
    store = await openStore({ dataDir: directory.dataDir });
    expect(store.opened.repairs).toEqual([]);
    expect(rows('log.db', 'SELECT place FROM packets')).toHaveLength(3);
  });

  it('makes no retained message of one that is damaged on its way', async () => {
    await open();
    await store?.close();
    const db = new Database(join(directory.dataDir, 'log.db'));
    db.exec(`INSERT INTO packets (place, qos, at, topic, payload, sum) VALUES (1, 1, 1, 'a', x'31', 7)`);
    db.exec('INSERT INTO fresh_retained VALUES (1)');
    db.close();
    store = await openStore({ dataDir: directory.dataDir });
    expect(store.opened.repairs).toHaveLength(1);
    expect(await store.client.loadRetained('', 10)).toEqual([]);
  });

  it('is not damaged by anything that a broker does', async () => {
    const { client } = await open(4 * MIB);
    for (const place of [1, 2, 3]) await publish(client, place, { copies: [{ session: 1, packetId: place, qos: 2 }] });
    await client.changeQueues([{ kind: 'released', place: 2, session: 1 }]);
    const filler = newRecord({ value: Buffer.alloc(60_000, 'x') });
    const isGone = async () => {
      await client.append({ kind: 'records', records: [filler, filler], handshake: null });
      return rows('log.db', 'SELECT 1 FROM packets WHERE seq IS NOT NULL').length === 0;
    };
    await waitFor(isGone, { what: 'the records to be reclaimed', timeoutMs: 20_000, everyMs: 1 });
    await store?.close();
    store = await openStore({ dataDir: directory.dataDir });
    expect(store.opened.repairs).toEqual([]);
    const { messages } = await store.client.loadQueues({ place: 0, session: 0 }, 10);
    expect(messages.map(({ place, released }) => [place, released])).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
  });

  it('keeps nothing of a repeated QoS 2 message', async () => {
    const { client } = await open();
    const handshake = { clientId: 'c', packetId: 1 };
    const entry = { kind: 'records', records: [], handshake } as const;
    await client.append({ ...entry, keep: kept(1, { payload: Buffer.from('1') }) });
    expect(await client.append({ ...entry, keep: kept(2, { payload: Buffer.from('1') }) })).toMatchObject({
      duplicate: true,
    });
    expect(await queued(client)).toEqual([`${TOPIC} 1`]);
  });
});

describe('a state.db of format 1', () => {
  it('is brought to the newest one, with what it holds', async () => {
    const db = new Database(join(directory.dataDir, 'state.db'));
    db.exec(`${STATE_MIGRATIONS[0]}; PRAGMA user_version = 1;`);
    db.prepare('INSERT INTO devices (id) VALUES (?)').run('device-1');
    db.close();
    const { client } = await open();
    expect(await client.loadDevices()).toMatchObject([{ id: 'device-1' }]);
    expect(await client.loadSessions(0, 1_000)).toMatchObject([{ clientId: 'phone' }]);
  });
});
