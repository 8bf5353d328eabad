import { Buffer } from 'node:buffer';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { Seq } from '../../../src/core/record.ts';
import { DroppingStore } from '../../support/drop-by-age.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';
import { waitFor } from '../../support/wait-for.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const GAPS: LaneId = { uplink: 'plant', stream: 'gaps' };
const ALL = { maxRecords: 1_000, maxBytes: 2 ** 20 };

describe('what a limit takes', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let dropping: DroppingStore;

  beforeEach(async () => {
    directory = storeDirectory();
    dropping = await DroppingStore.open(directory.dataDir);
  });

  afterEach(async () => {
    await dropping.store.close();
    directory.remove();
  });

  const gaps = () =>
    dropping.store.reader
      .read('gaps', 0, ALL)
      .records.map(({ value }) => JSON.parse(Buffer.from(value).toString()) as Gap);

  const lane = async ({ stream }: LaneId = LANE) =>
    (await dropping.store.client.stats()).lanes.find((each) => each.stream === stream);

  /** Overwrites bytes of the stored record. */
  function damage(seq: Seq, at: number, bytes: Buffer): void {
    const db = new Database(dropping.store.opened.logFile);
    const body = db.prepare<[number], Buffer>('SELECT body FROM telemetry WHERE seq = ?').pluck().get(seq);
    bytes.copy(body ?? Buffer.alloc(0), at);
    db.prepare('UPDATE telemetry SET body = ? WHERE seq = ?').run(body, seq);
    db.close();
  }

  it('is reported at once to a lane that waits for it, though nothing else is stored', async () => {
    const { lanes } = dropping.store;
    await lanes.open(LANE, 'oldest');
    const after = await lanes.open(GAPS, 'oldest');
    const [seq = 0] = await dropping.append([newRecord()]);
    let isWoken = false;
    const waiting = lanes.wait({ uplink: 'plant', stream: 'gaps' }, after, new AbortController().signal).then(() => {
      isWoken = true;
    });
    dropping.outdate(seq);
    await waitFor(() => isWoken, { what: 'the lane of gaps to be woken', timeoutMs: 10_000 });
    await waiting;
    expect(gaps()).toMatchObject([{ uplink: 'plant', first_seq: seq, last_seq: seq, count: 1, reason: 'max_age' }]);
  });

  it.each([
    ['time', 6, Buffer.from('000000000000f87f', 'hex')],
    ['time', 6, Buffer.alloc(8, 0x7f)],
    ['lengths', 14, Buffer.alloc(3, 0xff)],
    ['flags', 4, Buffer.alloc(2, 0xff)],
  ])('may be damaged in its %s, and is counted and reported all the same', async (_, at, bytes) => {
    await dropping.store.lanes.open(LANE, 'oldest');
    const seqs = await dropping.append([newRecord(), newRecord(), newRecord()]);
    damage(seqs[1] ?? 0, at, bytes);
    await dropping.drop(seqs[2] ?? 0);
    expect(await lane()).toMatchObject({ droppedCount: 3, pendingCount: 0, cursor: seqs[2] });
    expect(gaps().reduce((sum, { count }) => sum + count, 0)).toBe(3);
    for (const gap of gaps()) expect([Date.parse(gap.first_time), Date.parse(gap.last_time)]).not.toContain(Number.NaN);
  });

  it('may be cut short, and stops neither the counts nor what a limit takes', async () => {
    await dropping.store.lanes.open(LANE, 'oldest');
    const seqs = await dropping.append([newRecord(), newRecord(), newRecord()]);
    const db = new Database(dropping.store.opened.logFile);
    db.prepare("UPDATE telemetry SET body = x'' WHERE seq = ?").run(seqs[0] ?? 0);
    db.close();
    expect(await lane()).toMatchObject({ pendingCount: 3, oldestPendingAt: expect.any(Number) });
    await dropping.drop(seqs[2] ?? 0);
    expect(await lane()).toMatchObject({ droppedCount: 3, pendingCount: 0 });
  });

  it('is not asked how old it is when it is damaged', async () => {
    await dropping.store.lanes.open(LANE, 'oldest');
    const [first = 0] = await dropping.append([newRecord({ receivedAt: 5_000_000 }), newRecord({ receivedAt: 0 })]);
    damage(first, 6, Buffer.alloc(8, 0x7f));
    expect(await lane()).toMatchObject({ pendingCount: 2, oldestPendingAt: 5_000_001 });
  });

  it('is found under seqs beyond 32 bits, like everything else', async () => {
    await dropping.store.close();
    const state = new Database(join(directory.dataDir, 'state.db'));
    const high = 2 ** 45;
    state.prepare("INSERT OR REPLACE INTO meta (name, value) VALUES ('seq_reserved', ?)").run(String(high));
    state.close();
    dropping = await DroppingStore.open(directory.dataDir);
    const { lanes, reader } = dropping.store;
    const from = await lanes.open(LANE, 'oldest');
    const seqs = await dropping.append([newRecord(), newRecord(), newRecord(), newRecord()]);
    expect(seqs).toEqual([1, 2, 3, 4].map((index) => high + index));
    await dropping.drop(seqs[0] ?? 0);
    expect(await lanes.claim(LANE, seqs[2] ?? 0)).toBe(seqs[0]);
    expect(reader.read('telemetry', from, ALL)).toMatchObject({ upTo: seqs[3], damaged: [] });
    const rejected = [{ seq: seqs[2] ?? 0, reason: 'message_too_large', detail: '' }];
    await lanes.settle({ lane: LANE, from: seqs[0] ?? 0, upTo: seqs[2] ?? 0, deliveredCount: 1, rejected });
    expect(await lane()).toMatchObject({ droppedCount: 1, deliveredCount: 1, rejectedCount: 1, pendingCount: 1 });
  });
});
