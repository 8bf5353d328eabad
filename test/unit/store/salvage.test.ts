import { Buffer } from 'node:buffer';
import { closeSync, copyFileSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { Stream } from '../../../src/core/stream.ts';
import { setAside } from '../../../src/store/damage/set-aside.ts';
import { type OpenStore, openStore, storeDirectory } from '../../support/open-store.ts';
import { entryOf, newRecord } from '../../support/records.ts';
import { countStore } from '../../support/verify.ts';
import { waitFor } from '../../support/wait-for.ts';

const PAGE = 4096;
const COUNT = 1_000;
const PLANT: LaneId = { uplink: 'plant', stream: 'telemetry' };
const STICK: LaneId = { uplink: 'stick', stream: 'telemetry' };
const ALL = { maxRecords: 2 * COUNT, maxBytes: 2 ** 24 };

describe('what is put back of a log', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let logFile: string;
  let store: OpenStore;

  beforeEach(async () => {
    directory = storeDirectory();
    logFile = join(directory.dataDir, 'log.db');
    store = await openStore({ dataDir: directory.dataDir });
    for (const lane of [PLANT, STICK]) await store.lanes.open(lane, 'oldest');
    for (const uplink of ['plant', 'stick']) await store.lanes.open({ uplink, stream: 'gaps' }, 'oldest');
    await append(COUNT);
  });

  afterEach(async () => {
    await store.close();
    directory.remove();
  });

  async function append(count: number): Promise<void> {
    const records = Array.from({ length: count }, (_, n) =>
      newRecord({ value: Buffer.from(`{"n":${n}}${' '.repeat(200)}`) }),
    );
    await store.client.append(entryOf(...records));
  }

  async function settle(lane: LaneId, from: number, upTo: number): Promise<void> {
    await store.lanes.settle({ lane, from, upTo, deliveredCount: upTo - from, rejected: [] });
  }

  /** Overwrites the first page of a table of a store that was closed; small ones have no other. */
  function destroy(...tables: readonly string[]): void {
    const db = new Database(logFile);
    const find = db.prepare<[string], number>('SELECT rootpage FROM sqlite_schema WHERE name = ?').pluck();
    const pages = tables.map((table) => find.get(table) ?? 0);
    db.close();
    const fd = openSync(logFile, 'r+');
    for (const page of pages) writeSync(fd, Buffer.alloc(PAGE, 0xa5), 0, PAGE, (page - 1) * PAGE);
    closeSync(fd);
    writeFileSync(`${logFile}.suspect`, '');
  }

  async function reopen(): Promise<void> {
    store = await openStore({ dataDir: directory.dataDir });
  }

  function gapsOf(uplink: string): Partial<Gap>[] {
    const { records } = store.reader.read('gaps', 0, ALL);
    const gaps = records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap);
    return gaps
      .filter((gap) => gap.uplink === uplink)
      .map(({ stream, first_seq, last_seq, count }) => ({ stream, first_seq, last_seq, count }));
  }

  async function laneOf(uplink: string, stream: Stream = 'telemetry') {
    const { lanes } = await store.client.stats();
    return lanes.find((lane) => lane.uplink === uplink && lane.stream === stream);
  }

  async function expectRightCounts(): Promise<void> {
    await store.close();
    expect(countStore(directory.dataDir, { deep: true }).problems).toEqual([]);
    await reopen();
  }

  it('that lost what its lanes had skipped is sent again from where they had not done with everything', async () => {
    await settle(PLANT, 0, 200);
    await store.lanes.skipAhead(PLANT);
    const [backfill] = await store.lanes.ranges('plant');
    if (backfill === undefined) throw new Error('nothing was skipped');
    await settle(backfill.lane, 200, 300);
    await append(10);
    await settle(PLANT, COUNT, COUNT + 10);
    await settle(STICK, 0, COUNT + 10);
    await store.close();
    destroy('ranges');
    await reopen();
    await store.client.salvaged();
    expect(store.reader.read('telemetry', 0, ALL).records.map(({ seq }) => seq)).toEqual(
      Array.from({ length: COUNT - 290 }, (_, index) => 301 + index),
    );
    expect(await store.lanes.ranges('plant')).toMatchObject([{ upTo: COUNT + 10 }]);
    expect(await laneOf('plant')).toMatchObject({ deliveredCount: 310, pendingCount: COUNT - 290, droppedCount: 0 });
    expect(gapsOf('plant')).toEqual([{ stream: 'telemetry', first_seq: 301, last_seq: COUNT + 10, count: 0 }]);
    expect(await laneOf('stick')).toMatchObject({ deliveredCount: COUNT + 10, pendingCount: 0 });
    expect(gapsOf('stick')).toEqual([]);
    await expectRightCounts();
  });

  it.each(['missing', 'empty'])(
    'that was set aside before a kill, when the new one was still %s, is all that can be read',
    async (kind) => {
      await store.close();
      setAside(logFile);
      if (kind === 'empty') writeFileSync(logFile, '');
      const state = new Database(join(directory.dataDir, 'state.db'));
      const [roots] = state.prepare("SELECT value FROM meta WHERE name = 'log_roots'").pluck().all();
      state
        .prepare("INSERT INTO meta (name, value) VALUES ('log_salvage', 'begun'), ('log_salvage_roots', ?)")
        .run(roots);
      state.close();
      await reopen();
      await store.client.salvaged();
      expect(await laneOf('plant')).toMatchObject({ acceptedCount: COUNT, pendingCount: COUNT, droppedCount: 0 });
      expect(store.reader.read('telemetry', 0, ALL).records).toHaveLength(COUNT);
      await expectRightCounts();
    },
  );

  it('that lost its positions is sent beside lanes up to where they had skipped last', async () => {
    await settle(PLANT, 0, 400);
    await store.lanes.skipAhead(PLANT);
    await append(10);
    await settle(PLANT, COUNT, COUNT + 10);
    await store.close();
    destroy('lanes');
    await reopen();
    expect(await store.lanes.open(PLANT, 'oldest')).toBe(COUNT);
    await store.client.salvaged();
    const [range] = await store.lanes.ranges('plant');
    expect(range).toMatchObject({ lane: { ...PLANT, range: { kind: 'backfill' } }, upTo: COUNT });
    expect(await laneOf('plant')).toMatchObject({ pendingCount: COUNT + 10, droppedCount: 0 });
    await settle(range?.lane ?? PLANT, 0, COUNT);
    await settle(PLANT, COUNT, COUNT + 10);
    expect(await laneOf('plant')).toMatchObject({ deliveredCount: COUNT + 10, pendingCount: 0 });
    await expectRightCounts();
  });

  it('that lost all its commits says so, and begins at the beginning', async () => {
    await store.close();
    const other = storeDirectory();
    await (await openStore({ dataDir: other.dataDir })).close();
    copyFileSync(join(other.dataDir, 'log.db'), logFile);
    other.remove();
    await reopen();
    expect(store.opened.repairs).toHaveLength(1);
    expect(await store.lanes.open(PLANT, 'now')).toBe(0);
    expect(gapsOf('plant')).toEqual([{ stream: 'telemetry', first_seq: 1, last_seq: 11_000_000, count: 0 }]);
    await expectRightCounts();
  });

  it('that lost its last commits while it was put back says so, and is put back', async () => {
    await store.close();
    destroy('handshakes');
    await reopen();
    await store.close();
    const db = new Database(logFile);
    db.exec(`DELETE FROM telemetry; UPDATE streams SET removed = accepted WHERE stream = 'telemetry'`);
    db.exec(`INSERT OR REPLACE INTO meta VALUES ('salvage', '{"telemetry":${COUNT}}')`);
    db.close();
    const earlier = readFileSync(logFile);
    await reopen();
    await store.client.salvaged();
    await append(10);
    await store.close();
    writeFileSync(logFile, earlier);
    await reopen();
    await store.client.salvaged();
    expect(await laneOf('plant')).toMatchObject({ pendingCount: COUNT, droppedCount: 0 });
    expect(gapsOf('plant')).toEqual([{ stream: 'telemetry', first_seq: COUNT + 1, last_seq: 13_000_000, count: 0 }]);
    await expectRightCounts();
  });

  it('that lost its last commits takes no new QoS 2 message for one that was repeated', async () => {
    const handshake = { clientId: 'panel', packetId: 7 };
    await store.client.append({ kind: 'records', records: [newRecord()], handshake });
    await store.client.append({ kind: 'records', records: [], handshake: { clientId: '\u0001will/1', packetId: 1 } });
    await store.close();
    const earlier = readFileSync(logFile);
    await reopen();
    await store.client.append({ kind: 'release', clientId: 'panel', packetId: 7 });
    await append(1);
    await store.close();
    writeFileSync(logFile, earlier);
    await reopen();
    expect(store.opened.openHandshakes).toEqual([{ clientId: '\u0001will/1', packetId: 1 }]);
    expect(await store.client.append({ kind: 'records', records: [newRecord()], handshake })).toMatchObject({
      duplicate: false,
    });
  });

  it('that lost its last commits skips again what it had skipped in them', async () => {
    await store.close();
    const earlier = readFileSync(logFile);
    await reopen();
    await store.lanes.open(PLANT, 'oldest');
    await store.lanes.skipAhead(PLANT);
    await store.close();
    writeFileSync(logFile, earlier);
    await reopen();
    expect(await store.lanes.open(PLANT, 'oldest')).toBe(COUNT);
    expect(await store.lanes.ranges('plant')).toMatchObject([{ upTo: COUNT }]);
    expect(await laneOf('plant')).toMatchObject({ pendingCount: COUNT });
    await expectRightCounts();
  });

  describe('that lost its positions', () => {
    beforeEach(async () => {
      await settle(PLANT, 0, 400);
      await settle(STICK, 0, 400);
      await store.close();
      destroy('lanes', 'directed');
      await reopen();
    });

    it.each(['oldest', 'now'] as const)(
      'is sent from its beginning, and that something may be missing is said, by lanes that begin %s',
      async (from) => {
        expect(await store.lanes.open(PLANT, from)).toBe(0);
        await store.lanes.open({ uplink: 'plant', stream: 'gaps' }, 'oldest');
        await store.client.salvaged();
        expect(await laneOf('plant')).toMatchObject({ pendingCount: COUNT, droppedCount: 0 });
        expect(await laneOf('plant', 'gaps')).toMatchObject({ pendingCount: 1 });
        expect(gapsOf('plant')).toEqual([{ stream: 'telemetry', first_seq: 1, last_seq: 11_000_000, count: 0 }]);
        await expectRightCounts();
      },
    );

    it('says so to every lane over all starts until the set of uplinks was started, and to none that is new later', async () => {
      await store.client.salvaged();
      for (const lane of [PLANT, STICK]) {
        await store.close();
        await reopen();
        expect(await store.lanes.open(lane, 'now')).toBe(0);
        expect(gapsOf(lane.uplink)).toHaveLength(1);
      }
      await store.client.forgetLostPositions();
      expect(await store.lanes.open({ uplink: 'new', stream: 'telemetry' }, 'now')).toBe(COUNT);
      expect(gapsOf('new')).toEqual([]);
      await expectRightCounts();
    });
  });

  it.each([
    ['with', []],
    ['without', ['sqlite_sequence', 'ranges']],
  ])('gives no range the id of an earlier one, %s the list of ids', async (_, tables) => {
    const replay = {
      uplink: 'plant',
      stream: 'telemetry',
      device: null,
      after: 0,
      upTo: 9,
      from: null,
      to: null,
    } as const;
    const { id } = await store.client.addReplay(replay);
    await store.client.removeReplay(id);
    await store.close();
    destroy('handshakes', ...tables);
    await reopen();
    await store.client.salvaged();
    expect((await store.client.addReplay(replay)).id).toBeGreaterThan(id);
  });

  it('tells each uplink of its own losses alone, when nothing says any more whom a report was for', async () => {
    // What is lost is told in gaps; then these are all that the next log has to tell.
    await store.close();
    destroy('lanes');
    await reopen();
    for (const uplink of ['plant', 'stick']) {
      await store.lanes.open({ uplink, stream: 'telemetry' }, 'oldest');
      await store.lanes.open({ uplink, stream: 'gaps' }, 'oldest');
    }
    await store.client.salvaged();
    await store.close();
    destroy('lanes', 'directed');
    await reopen();
    for (const uplink of ['plant', 'stick']) await store.lanes.open({ uplink, stream: 'gaps' }, 'oldest');
    await store.client.salvaged();
    for (const uplink of ['plant', 'stick'])
      expect(await laneOf(uplink, 'gaps')).toMatchObject({ pendingCount: 1, droppedCount: 0 });
    await expectRightCounts();
  });

  it('holds what waits for MQTT sessions, although every uplink has it', async () => {
    const record = newRecord({ value: Buffer.from('{"queued":true}') });
    const place = 1;
    await store.client.saveSessions([{ kind: 'begin', session: 1, clientId: 'panel', owner: 'panel' }]);
    const keep = {
      ...({ place, qos: 1, at: 1, topic: record.channel, payload: null, retained: false } as const),
      copies: [{ session: 1, packetId: 7, qos: 1 }] as const,
    };
    await store.client.append({ kind: 'records', records: [record], handshake: null, keep });
    for (const lane of [PLANT, STICK]) await settle(lane, 0, COUNT + 1);
    await store.close();
    destroy('handshakes');
    await reopen();
    await store.client.salvaged();
    const { messages } = await store.client.loadQueues({ place: 0, session: 0 }, 10);
    expect(messages.map(({ content }) => `${Buffer.from(content?.payload ?? [])}`)).toEqual(['{"queued":true}']);
    expect(await laneOf('plant')).toMatchObject({ deliveredCount: COUNT + 1, pendingCount: 0, droppedCount: 0 });
    await expectRightCounts();
  });

  it('holds what was about to be retained, although the record of it is put back only later', async () => {
    const record = newRecord({ value: Buffer.from('{"retained":true}') });
    const keep = { place: 1, qos: 1, at: 1, topic: record.channel, payload: null, retained: true, copies: [] } as const;
    await store.client.append({ kind: 'records', records: [record], handshake: null, keep });
    await store.close();
    destroy('handshakes');
    await reopen();
    await store.client.salvaged();
    const retained = async () =>
      (await store.client.loadRetained('', 10)).map(({ payload }) => `${Buffer.from(payload)}`);
    await waitFor(async () => (await retained()).length > 0, { what: 'the retained message', timeoutMs: 10_000 });
    expect(await retained()).toEqual(['{"retained":true}']);
  });
});
