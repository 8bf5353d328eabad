import { Buffer } from 'node:buffer';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SessionChange } from '../../../src/core/session.ts';
import { examineStore } from '../../../src/store/damage/examine.ts';
import { GoodCopy, type OpenedState, openState } from '../../../src/store/damage/good-copy.ts';
import { State } from '../../../src/store/state/state.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { SeededRandom } from '../../support/random.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const SESSIONS: readonly SessionChange[] = [
  { kind: 'begin', session: 1, clientId: 'panel', owner: 'pump' },
  { kind: 'subscribe', session: 1, subscriptions: ['a/+', 'b/+', 'c/+'].map((topic) => ({ topic, qos: 1 })) },
  { kind: 'begin', session: 2, clientId: 'phone', owner: '' },
  { kind: 'subscribe', session: 2, subscriptions: [{ topic: 'b/+', qos: 1 }] },
  { kind: 'will', will: will(3, 'panel') },
  { kind: 'will', will: will(4, 'phone') },
];

function will(id: number, clientId: string) {
  return { id, clientId, owner: '', topic: 'gone', qos: 1, retain: false, payload: Buffer.from('away') } as const;
}

describe('a state.db in which single rows are damaged', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let stateFile: string;
  let store: OpenStore | undefined;

  beforeEach(async () => {
    directory = storeDirectory();
    stateFile = join(directory.dataDir, 'state.db');
    const { client } = await reopen();
    for (const id of ['A-pump', 'kitchen', 'valve']) await client.putSecret(id, `hash-of-${id}`);
    await client.saveSeen(['kitchen', 'guest'].map(seen), 0);
    await client.claimClientId('panel', 'kitchen', 1);
    await client.setPaused('plant', true);
    await client.saveSessions(SESSIONS);
    await client.append(entryOf(newRecord()));
    for (const [index, topic] of ['r/a', 'r/b', 'r/c'].entries()) await retain(topic, 10 + index);
    await close();
    // The copy of before was made when nothing else was there yet.
    await reopen();
    await close();
  });

  afterEach(async () => {
    await close();
    directory.remove();
  });

  function seen(id: string) {
    return { id, secretHash: null, firstSeenAt: 1, lastSeenAt: 1_795_692_173_303, latest: '["21.5"]' };
  }

  async function retain(topic: string, place: number): Promise<void> {
    const keep = {
      place,
      topic,
      payload: Buffer.from(`of ${topic}`),
      qos: 1,
      at: 1,
      retained: true,
      copies: [],
    } as const;
    await store?.client.append({ kind: 'records', records: [], handshake: null, keep });
  }

  async function reopen(): Promise<OpenStore> {
    store = await openStore({ dataDir: directory.dataDir });
    return store;
  }

  async function close(): Promise<void> {
    await store?.close();
    store = undefined;
  }

  function change(file: string, statement: string): void {
    const db = new Database(file);
    expect(db.prepare(statement).run().changes).toBeGreaterThan(0);
    db.close();
  }

  /** In the file and in its copy. */
  function changeBoth(statement: string): void {
    for (const file of [stateFile, `${stateFile}.good`]) change(file, statement);
  }

  /** The same bit of a text as it stands in the file last. */
  function flipBit(text: string, mask: number, files: readonly string[] = [stateFile]): void {
    for (const file of files) {
      const bytes = readFileSync(file);
      const at = bytes.lastIndexOf(text);
      bytes.writeUInt8(bytes.readUInt8(at) ^ mask, at);
      writeFileSync(file, bytes);
    }
  }

  async function secrets(): Promise<Record<string, string | null>> {
    const rows = (await store?.client.loadDevices()) ?? [];
    return Object.fromEntries(rows.map(({ id, secretHash }) => [id, secretHash]));
  }

  const ALL_SECRETS = { 'A-pump': 'hash-of-A-pump', kitchen: 'hash-of-kitchen', valve: 'hash-of-valve' };

  async function sessions(): Promise<string[]> {
    return ((await store?.client.loadSessions(0, 10)) ?? []).map(({ clientId }) => clientId);
  }

  async function retained(): Promise<string[]> {
    const messages = (await store?.client.loadRetained('', 10)) ?? [];
    return messages.map(({ topic, payload }) => `${topic} ${Buffer.from(payload).toString()}`);
  }

  function contents({ state, repairs }: OpenedState) {
    const devices = state.loadDevices();
    const rows = [
      ...devices.filter(({ latest }) => latest !== null),
      ...state.sessions.page(0, 10),
      ...state.sessions.wills.page(0, 10),
      ...state.sessions.retainedPage('', 10),
      ...state.pausedUplinks(),
    ].map((row) => JSON.stringify(row));
    state.close();
    return {
      rows,
      repairs,
      secrets: devices.map(({ id, secretHash }) => secretHash && [id, secretHash]).filter(Boolean),
    };
  }

  /** The next start finds nothing more. */
  async function expectWhole(): Promise<void> {
    await close();
    expect((await reopen()).opened.repairs).toEqual([]);
    expect(examineStore(directory.dataDir).findings).not.toContainEqual(expect.objectContaining({ kind: 'repair' }));
  }

  it('loses a latest value that has a flipped bit, also in the copy, and nothing else', async () => {
    flipBit('"21.5"', 1, [stateFile, `${stateFile}.good`]);
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([expect.stringMatching(/latest values of devices (kitchen|guest) are damaged/)]);
    expect(await secrets()).toMatchObject(ALL_SECRETS);
    expect((await client.loadDevices()).filter(({ latest }) => latest !== null)).toHaveLength(1);
    expect(await sessions()).toEqual(['panel', 'phone']);
    await expectWhole();
  });

  it('takes secrets from the copy', async () => {
    flipBit('hash-of-kitchen', 1);
    const { opened } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining('the secrets of devices kitchen are taken from the copy')]);
    expect(await secrets()).toEqual({ ...ALL_SECRETS, guest: null });
    await expectWhole();
  });

  it('has no secret that is damaged in the copy as well, names its device, and says what to do', async () => {
    flipBit('hash-of-kitchen', 1, [stateFile, `${stateFile}.good`]);
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([
      expect.stringMatching(/the secrets of devices kitchen are damaged: they cannot log in until .*sluice device add/),
    ]);
    expect(await secrets()).toEqual({ 'A-pump': 'hash-of-A-pump', valve: 'hash-of-valve', guest: null });
    await client.putSecret('kitchen', 'new');
    await expectWhole();
  });

  it('finds the device whose name is damaged in the copy, and names the other one in printable characters', async () => {
    flipBit('A-pumphash', 0x40);
    const { opened } = await reopen();
    expect(opened.repairs).toEqual([
      expect.stringContaining('secrets of devices \\u{1}-pump are damaged'),
      expect.stringContaining('secrets of devices A-pump are taken'),
    ]);
    expect(await secrets()).toEqual({ ...ALL_SECRETS, guest: null });
    await expectWhole();
  });

  it.each([
    ['payload', 'of r/b'],
    ['topic', 'r/b'],
  ])('has no retained message any more whose %s is damaged', async (_, text) => {
    flipBit(text, 0x10);
    const { opened } = await reopen();
    expect(opened.repairs).toEqual([expect.stringMatching(/retained messages of topics [br]\/b are damaged/)]);
    expect(await retained()).toEqual(['r/a of r/a', 'r/c of r/c']);
    await expectWhole();
  });

  it.each([
    ['the filter of a subscription', "UPDATE subscriptions SET topic = 'b/#' WHERE session = 1 AND topic = 'b/+'", [2]],
    ['the QoS of a subscription', "UPDATE subscriptions SET qos = 0 WHERE session = 1 AND topic = 'b/+'", [2]],
    ['the session of a subscription', "UPDATE subscriptions SET session = 2 WHERE session = 1 AND topic = 'a/+'", []],
    ['a subscription that is gone', "DELETE FROM subscriptions WHERE session = 1 AND topic = 'a/+'", [2]],
    ['the owner of a session', "UPDATE sessions SET owner = 'valve' WHERE id = 2", [1]],
    ['the client id of a session', "UPDATE sessions SET client_id = 'phona' WHERE id = 2", [1]],
    ['the end of a connection', 'UPDATE sessions SET away_since = 5 WHERE id = 2', [1]],
  ])('ends the session that is damaged by %s, so that its client subscribes again', async (_, statement, kept) => {
    change(stateFile, statement);
    const { opened, client } = await reopen();
    expect(opened.repairs).toHaveLength(1);
    expect(opened.repairs[0]).toMatch(/MQTT sessions of clients .* they are ended/);
    const rows = await client.loadSessions(0, 10);
    expect(rows.map(({ id, subscriptions }) => [id, subscriptions.length])).toEqual(
      kept.map((id) => [id, id === 1 ? 3 : 1]),
    );
    await client.saveSessions([{ kind: 'begin', session: 20, clientId: 'panel-2', owner: '' }]);
    await expectWhole();
  });

  it('ends a session one of whose filters stands where no search finds it', async () => {
    flipBit('b/+', 0x40);
    const { opened, client } = await reopen();
    expect(opened.repairs).toHaveLength(1);
    expect(await client.loadSessions(0, 10)).toHaveLength(1);
    await expectWhole();
  });

  it('with any bit of it flipped loses no secret, keeps nothing that nobody wrote, and is whole after the start', () => {
    const random = new SeededRandom(7);
    const whole = readFileSync(stateFile);
    const written = contents(openState(stateFile));
    const copy = readFileSync(`${stateFile}.good`);
    for (let count = 50; count > 0; count -= 1) {
      const at = random.between(0, whole.length - 1);
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(at) ^ (1 << random.between(0, 7)), at);
      writeFileSync(stateFile, bytes);
      writeFileSync(`${stateFile}.good`, copy);
      const { rows, secrets: kept, repairs } = contents(openState(stateFile));
      expect(kept, `byte ${at}`).toEqual(written.secrets);
      for (const row of rows) expect(written.rows).toContain(row);
      if (rows.length < written.rows.length) expect(repairs, `byte ${at}`).not.toEqual([]);
      expect(contents(openState(stateFile)).repairs).toEqual([]);
    }
  });

  it('publishes no will that is damaged', async () => {
    flipBit('away', 1);
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining('the wills of MQTT clients')]);
    expect(await client.loadWills(0, 10)).toHaveLength(1);
    await expectWhole();
  });

  it('gives a client id whose owner is damaged to whoever uses it next', async () => {
    change(stateFile, "UPDATE client_ids SET owner = 'kitchex'");
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining('the owners of MQTT client ids panel are damaged')]);
    expect(await client.claimClientId('panel', 'kitchen', 2)).toBe(true);
    await expectWhole();
  });

  it('takes paused uplinks from the copy, or says that they are not paused any more', async () => {
    change(stateFile, "UPDATE paused_uplinks SET name = 'plans'");
    expect((await reopen()).opened.repairs).toHaveLength(2);
    expect(await store?.client.pausedUplinks()).toEqual(['plant']);
    await close();
    changeBoth("UPDATE paused_uplinks SET name = 'plans'");
    expect((await reopen()).opened.repairs).toEqual([expect.stringContaining('they are not paused any more')]);
    expect(await store?.client.pausedUplinks()).toEqual([]);
    await expectWhole();
  });

  it('takes its copy when what the gateway noted is damaged', async () => {
    change(stateFile, "UPDATE meta SET value = '0' WHERE name = 'seq_reserved'");
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining('state.db is set aside, it is damaged; the copy')]);
    const { firstSeq } = await client.append(entryOf(newRecord()));
    expect(firstSeq).toBeGreaterThan(1_000_000);
    expect(await secrets()).toMatchObject(ALL_SECRETS);
    await expectWhole();
  });

  it('forgets what the gateway noted when the copy is damaged in the same place, and gives no seq out twice', async () => {
    const { firstSeq: before } = (await (await reopen()).client.append(entryOf(newRecord()))) as { firstSeq: number };
    await close();
    changeBoth("UPDATE meta SET value = '0' WHERE name = 'seq_reserved'");
    const { opened, client } = await reopen();
    expect(opened.repairs).toEqual([expect.stringContaining('noted as seq_reserved')]);
    expect((await client.append(entryOf(newRecord()))).firstSeq).toBeGreaterThan(before);
    expect(await secrets()).toMatchObject(ALL_SECRETS);
    await expectWhole();
  });

  it('is kept for people as it was when its copy is damaged as well', async () => {
    const wrecked = Buffer.alloc(20 * 4096, 0xa5);
    for (const file of [stateFile, `${stateFile}.good`]) writeFileSync(file, wrecked);
    expect((await reopen()).opened.repairs).toEqual([
      expect.stringContaining('state.db is set aside'),
      expect.stringContaining('nobody knows whether all that was stored last is in'),
    ]);
    expect(readFileSync(`${stateFile}.damaged`).equals(wrecked)).toBe(true);
    await expectWhole();
  });

  it('is looked through by the doctor', () => {
    change(stateFile, "UPDATE devices SET latest = '[]' WHERE id = 'guest'");
    change(stateFile, "UPDATE retained SET qos = 0 WHERE topic = 'r/a'");
    const { findings } = examineStore(directory.dataDir);
    expect(findings.filter(({ kind }) => kind === 'repair').map(({ text }) => text)).toEqual([
      'it is damaged: the latest values of devices guest',
      'it is damaged: retained messages of topics r/a',
    ]);
  });

  it('is not damaged by anything that a gateway writes', async () => {
    const { client } = await reopen();
    await client.saveSessions([
      { kind: 'subscribe', session: 1, subscriptions: [{ topic: 'a/+', qos: 2, subscriptionIdentifier: 7 }] },
      { kind: 'unsubscribe', session: 1, topics: ['b/+', 'never'] },
      { kind: 'away', session: 1, since: 1_795_692_173_303 },
      { kind: 'away', session: 1, since: null },
      { kind: 'away', session: 2, since: 5 },
      { kind: 'will_gone', id: 3 },
      { kind: 'begin', session: 30, clientId: 'Küche', owner: '' },
      { kind: 'subscribe', session: 30, subscriptions: [{ topic: '温度/#', qos: 1 }] },
    ]);
    await retain('r/a', 40);
    await client.saveSeen([{ ...seen('kitchen'), latest: '{"Küche":1e21}' }], 0);
    await client.putSecret('kitchen', 'another');
    await client.removeDevice('valve');
    await client.claimClientId('panel', 'panel', 9);
    await client.setPaused('stick', true);
    await client.setPaused('plant', false);
    await close();
    await reopen();
    expect(store?.opened.repairs).toEqual([]);
    expect(await store?.client.loadSessions(0, 1)).toMatchObject([
      { subscriptions: [{ topic: 'a/+', qos: 2, subscriptionIdentifier: 7 }, { topic: 'c/+' }] },
    ]);
    await expectWhole();
  });

  it('does not get into the copy, which the next start needs', () => {
    const state = new State(stateFile);
    const copy = new GoodCopy(state, stateFile);
    copy.step();
    const before = readFileSync(`${stateFile}.good`);
    change(stateFile, "UPDATE devices SET secret_hash = 'x' WHERE id = 'kitchen'");
    state.putSecret('new', 'hash-of-new');
    expect(() => copy.step()).toThrow(expect.objectContaining({ code: 'store_damaged' }));
    expect(readFileSync(`${stateFile}.good`).equals(before)).toBe(true);
    state.close();
    const opened = openState(stateFile);
    expect(opened.repairs).toHaveLength(1);
    expect(opened.state.loadDevices()).toContainEqual(
      expect.objectContaining({ id: 'kitchen', secretHash: 'hash-of-kitchen' }),
    );
    new GoodCopy(opened.state, stateFile).step();
    expect(readFileSync(`${stateFile}.good`).equals(before)).toBe(false);
    opened.state.close();
  });
});
