import { Buffer } from 'node:buffer';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { LOG_MIGRATIONS } from '../../../src/store/log/schema.ts';
import { SUMS } from '../../../src/store/state/row-sums.ts';
import { STATE_MIGRATIONS } from '../../../src/store/state/schema.ts';
import { openStore, STORE_DEFAULTS, storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';

/** From this format on a refused message has the size of its whole payload. */
const SIZED = 4;
/** From this format on gaps stand in `directed`. */
const DIRECTED_GAPS = 6;
/** From this format on packets are kept for MQTT sessions. */
const PACKETS = 3;
/** From this format on a lane may skip records. */
const RANGES = 8;
/** Formats in which what was refused for a share stood in `over_share`. */
const OVER_SHARE = { from: 9, to: 11 };
/** From this format on lanes say how far they have done with everything. */
const WITH_DONE = 11;
const LANE = { uplink: 'plant', stream: 'telemetry' } as const;

/**
 * `log.db` as an earlier version left it: two records, one rejected, one pending; an event that is pending, and skipped where
 * that is possible; a gap, a reject and a refused message.
 */
function writeOldLog(dataDir: string, format: number): void {
  const db = new Database(join(dataDir, 'log.db'));
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  for (const migration of LOG_MIGRATIONS.slice(0, format)) db.exec(migration);
  db.pragma(`user_version = ${format}`);
  const body = (seq: number) => encodeRecord(newRecord({ device: `d${seq}` }), seq);
  db.prepare('INSERT INTO meta VALUES (?, ?), (?, ?)').run(
    'epoch',
    'old-epoch',
    'machine_id',
    STORE_DEFAULTS.machineId ?? '',
  );
  const gap = newRecord({ stream: 'gaps', channel: 'stick', value: Buffer.from('{"uplink":"stick","device":null}') });
  db.prepare('INSERT INTO gaps VALUES (3, ?)').run(encodeRecord(gap, 3));
  if (format >= DIRECTED_GAPS) db.exec(`INSERT INTO directed VALUES ('gaps', 3, 'stick')`);
  db.exec(`UPDATE streams SET accepted = 1, last_seq = 3 WHERE stream = 'gaps'`);
  db.exec(`INSERT INTO lanes (uplink, stream, cursor, base) VALUES ('plant', 'gaps', 0, 1), ('stick', 'gaps', 0, 0)`);
  for (const seq of [1, 2]) db.prepare('INSERT INTO telemetry VALUES (?, ?)').run(seq, body(seq));
  db.exec(`UPDATE streams SET accepted = 2, last_seq = 2 WHERE stream = 'telemetry'`);
  db.exec(`INSERT INTO lanes (uplink, stream, cursor, base, rejected) VALUES ('plant', 'telemetry', 1, 0, 1)`);
  db.prepare('INSERT INTO events VALUES (4, ?)').run(encodeRecord(newRecord({ stream: 'events' }), 4));
  db.exec(`UPDATE streams SET accepted = 1, last_seq = 4 WHERE stream = 'events'`);
  const cursor = format < RANGES ? 3 : 4;
  db.exec(`INSERT INTO lanes (uplink, stream, cursor, base) VALUES ('plant', 'events', ${cursor}, 0)`);
  if (format >= RANGES) {
    db.exec(`INSERT INTO ranges (uplink, stream, kind, after, cursor, up_to, at)
             VALUES ('plant', 'events', 'backfill', 1, 3, 4, 5)`);
  }
  if (format >= WITH_DONE) db.exec(`UPDATE lanes SET done = CASE stream WHEN 'events' THEN 3 ELSE cursor END`);
  if (isOverShare(format)) db.exec(`INSERT INTO over_share VALUES ('telemetry', 'd1', 3, 60, 5, 6)`);
  db.exec(`INSERT INTO handshakes VALUES ('client', 7)`);
  if (format >= PACKETS) {
    db.exec(`INSERT INTO packets (place, qos, at, topic, payload) VALUES (6, 1, 7, 'a', x'31')`);
    db.exec('INSERT INTO queued (place, session, packet_id, qos, released) VALUES (6, 4, 1, 1, 0)');
  }
  db.prepare('INSERT INTO rejects (uplink, stream, seq, at, reason, detail, body) VALUES (?, ?, ?, ?, ?, ?, ?)').run(
    'plant',
    'telemetry',
    1,
    5,
    'message_too_large',
    'detail',
    body(1),
  );
  const size = format < SIZED ? '' : ', size';
  db.exec(
    `INSERT INTO refused (source, at, reason, channel, payload${size})
     VALUES ('mqtt', 5, 'nan', 'devices/d/telemetry/t', x'6e616e'${size && ', 3'})`,
  );
  db.close();
}

function isOverShare(format: number): boolean {
  return format >= OVER_SHARE.from && format <= OVER_SHARE.to;
}

describe.each(LOG_MIGRATIONS.slice(1).map((_, index) => index + 1))('a log.db of format %i', (format) => {
  let directory: ReturnType<typeof storeDirectory>;

  beforeEach(() => {
    directory = storeDirectory();
    writeOldLog(directory.dataDir, format);
  });

  afterEach(() => directory.remove());

  it('is brought to the newest format with everything that it holds', async () => {
    writeOldState(directory.dataDir, WITH_SESSIONS);
    const store = await openStore({ dataDir: directory.dataDir });
    const { messages } = await store.client.loadQueues({ place: 0, session: 0 }, 10);
    expect(messages.map(({ place, session }) => [place, session])).toEqual(format >= PACKETS ? [[6, 4]] : []);
    expect(store.opened).toMatchObject({
      epoch: 'old-epoch',
      openHandshakes: [{ clientId: 'client', packetId: 7 }],
    });
    const { records } = store.reader.read('telemetry', 0, { maxRecords: 10, maxBytes: 1e6 });
    expect(records.map(({ seq, device }) => [seq, device])).toEqual([
      [1, 'd1'],
      [2, 'd2'],
    ]);
    expect(await store.client.stats()).toMatchObject({ refusedCount: 1, rejectsCount: 1 });
    expect(await store.lanes.open(LANE, 'oldest')).toBe(1);
    await store.close();
    expect(countStore(directory.dataDir, { deep: true }).problems).toEqual([]);
    const db = new Database(join(directory.dataDir, 'log.db'), { readonly: true });
    expect(db.pragma('user_version', { simple: true })).toBe(LOG_MIGRATIONS.length);
    expect(db.prepare('SELECT * FROM directed').all()).toEqual([{ stream: 'gaps', seq: 3, uplink: 'stick' }]);
    const done = db.prepare("SELECT stream, done FROM lanes WHERE uplink = 'plant' AND stream <> 'gaps'").all();
    expect(done).toEqual([
      { stream: 'events', done: 3 },
      { stream: 'telemetry', done: 1 },
    ]);
    // It may be reported already.
    const untaken = db.prepare<[], number>("SELECT coalesce(sum(count), 0) FROM untaken WHERE reason = 'share'");
    const told = db.prepare<[], number>(`SELECT count(*) FROM gaps WHERE instr(body, CAST('"count":3' AS BLOB)) > 0`);
    const count = (untaken.pluck().get() ?? 0) + 3 * (told.pluck().get() ?? 0);
    expect(count).toBe(isOverShare(format) ? 3 : 0);
    expect(db.prepare('SELECT count(*) FROM lanes WHERE sum IS NULL').pluck().get()).toBe(0);
    db.close();
  });
});

/** From this format on sessions are kept. */
const WITH_SESSIONS = 2;

/** `state.db` as an earlier version left it. */
function writeOldState(dataDir: string, format: number): void {
  const db = new Database(join(dataDir, 'state.db'));
  db.pragma('auto_vacuum = INCREMENTAL');
  db.pragma('journal_mode = WAL');
  for (const migration of STATE_MIGRATIONS.slice(0, format)) db.exec(migration);
  db.pragma(`user_version = ${format}`);
  db.exec(`INSERT INTO meta (name, value) VALUES ('seq_reserved', '3000000'), ('gateway_id', 'old-name')`);
  db.exec(
    `INSERT INTO devices (id, secret_hash, first_seen_at, last_seen_at, latest) VALUES ('pump', 'h', 5, 6, '{}')`,
  );
  db.exec(`INSERT INTO client_ids VALUES ('c1', 'pump', 1)`);
  db.exec(`INSERT INTO paused_uplinks VALUES ('plant')`);
  if (format >= WITH_SESSIONS) {
    db.exec(`INSERT INTO sessions VALUES (4, 'c1', 'pump', 9)`);
    db.exec(`INSERT INTO subscriptions (session, topic, qos) VALUES (4, 'a/#', 1)`);
    db.exec(`INSERT INTO retained VALUES ('a/b', 8, 1, x'31')`);
  }
  db.close();
}

describe.each(STATE_MIGRATIONS.slice(1).map((_, index) => index + 1))('a state.db of format %i', (format) => {
  let directory: ReturnType<typeof storeDirectory>;

  beforeEach(() => {
    directory = storeDirectory();
    writeOldState(directory.dataDir, format);
  });

  afterEach(() => directory.remove());

  it('is brought to the newest format with everything that it holds', async () => {
    const store = await openStore({ dataDir: directory.dataDir });
    const { client, opened } = store;
    expect(opened.gatewayId).toBe('old-name');
    expect(await client.loadDevices()).toMatchObject([{ id: 'pump', firstSeenAt: 5, lastSeenAt: 6, latest: '{}' }]);
    expect(await client.claimClientId('c1', 'valve', 2)).toBe(false);
    expect(await client.pausedUplinks()).toEqual(['plant']);
    const { firstSeq } = await client.append({ kind: 'records', records: [newRecord()], handshake: null });
    expect(firstSeq).toBeGreaterThan(3_000_000);
    const session = { id: 4, clientId: 'c1', owner: 'pump', awaySince: 9, subscriptions: [{ topic: 'a/#', qos: 1 }] };
    const kept = format >= WITH_SESSIONS ? [session] : [];
    expect(await client.loadSessions(0, 10)).toEqual(kept);
    expect((await client.loadRetained('', 10)).map(({ topic }) => topic)).toEqual(kept.map(() => 'a/b'));
    expect(await client.lastPlace()).toBe(8 * kept.length);
    expect(await client.loadWills(0, 10)).toEqual([]);
    await store.close();
    const db = new Database(join(directory.dataDir, 'state.db'), { readonly: true });
    expect(db.pragma('user_version', { simple: true })).toBe(STATE_MIGRATIONS.length);
    for (const { table, column } of Object.values(SUMS)) {
      const sums = db.prepare(`SELECT ${column} FROM ${table}`).pluck().all();
      for (const sum of sums) expect(sum, `${table}.${column}`).toEqual(expect.any(Number));
    }
    db.close();
  });

  it('takes, as a good copy, the place of one that is damaged', async () => {
    const file = join(directory.dataDir, 'state.db');
    renameSync(file, `${file}.good`);
    writeFileSync(file, 'no database at all'.repeat(500));
    const { client, close, opened } = await openStore({ dataDir: directory.dataDir });
    expect(opened.repairs).toEqual([expect.stringContaining('the copy of its last good state is in its place')]);
    expect(await client.loadDevices()).toMatchObject([{ id: 'pump', secretHash: 'h' }]);
    await close();
  });
});

it.each(['log.db', 'state.db'])('refuses a %s of a newer version, and leaves it as it is', async (name) => {
  const directory = storeDirectory();
  await (await openStore({ dataDir: directory.dataDir })).close();
  const file = join(directory.dataDir, name);
  const db = new Database(file);
  db.pragma('user_version = 99');
  db.pragma(`application_id = ${0x534c_0000 + 99}`);
  db.close();
  const before = readFileSync(file);
  await expect(openStore({ dataDir: directory.dataDir })).rejects.toMatchObject({ code: 'store_too_new' });
  expect(readFileSync(file).equals(before)).toBe(true);
  directory.remove();
});

it.each([
  ['log.db', 'user_version', LOG_MIGRATIONS.length + 1],
  ['log.db', 'user_version', 3],
  ['log.db', 'user_version', -5],
  ['state.db', 'user_version', STATE_MIGRATIONS.length + 3],
  ['state.db', 'application_id', 0x534c_0000 + 99],
  ['state.db', 'application_id', 7],
  ['state.db', 'user_version', 65_541],
])('takes no damage to the format of a %s for another version: %s %i', async (name, pragma, value) => {
  const directory = storeDirectory();
  const first = await openStore({ dataDir: directory.dataDir });
  await first.client.append({ kind: 'records', records: [newRecord()], handshake: null });
  await first.close();
  const file = join(directory.dataDir, name);
  const format = (change = '') => {
    const db = new Database(file);
    if (change !== '') db.pragma(change);
    const formats = ['user_version', 'application_id'].map((one) => db.pragma(one, { simple: true }));
    db.close();
    return formats;
  };
  const before = format();
  format(`${pragma} = ${value}`);
  const again = await openStore({ dataDir: directory.dataDir });
  expect(again.opened.repairs).toEqual([]);
  expect(again.reader.read('telemetry', 0, { maxRecords: 10, maxBytes: 1e6 }).records).toHaveLength(1);
  await again.close();
  expect(format()).toEqual(before);
  directory.remove();
});
