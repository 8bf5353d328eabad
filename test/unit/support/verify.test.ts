import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NewRecord } from '../../../src/core/record.ts';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { LOG_MIGRATIONS } from '../../../src/store/log/schema.ts';
import { type Arrival, countStore, progress, readFiles } from '../../support/verify.ts';

const RECORD: NewRecord = {
  stream: 'telemetry',
  device: 'lamp',
  receivedAt: 1,
  observedAt: null,
  timeQuality: 'synced',
  contentType: 'application/json',
  eventType: null,
  channel: 'devices/lamp/telemetry',
  value: Buffer.from('{"t":1}'),
};

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'sluice-verify-'));
  change((db) => {
    for (const step of LOG_MIGRATIONS) db.exec(step);
    const insert = db.prepare('INSERT INTO telemetry VALUES (?, ?)');
    for (let seq = 1; seq <= 5; seq += 1) insert.run(seq, encodeRecord(RECORD, seq));
    db.exec("UPDATE streams SET accepted = 5, last_seq = 5 WHERE stream = 'telemetry'");
    db.exec("INSERT INTO lanes (uplink, stream, cursor, base, delivered) VALUES ('up', 'telemetry', 3, 0, 3)");
  });
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

function change(work: (db: Database.Database) => void): void {
  const db = new Database(join(directory, 'log.db'));
  work(db);
  db.close();
}

describe('the independent count of a store', () => {
  it('finds nothing wrong when accepted = delivered + rejected + dropped + pending', () => {
    expect(countStore(directory, { deep: true })).toMatchObject({
      storedCount: 5,
      problems: [],
      lanes: [{ uplink: 'up', acceptedCount: 5, deliveredCount: 3, pendingCount: 2 }],
    });
    expect(progress(directory)).toEqual({ delivered: 3, pending: 2 });
  });

  it.each([
    ['a record is missing behind the cursor', 'DELETE FROM telemetry WHERE seq = 5'],
    ['a record is missing before the cursor', 'DELETE FROM telemetry WHERE seq = 1'],
    ['a record was never counted', 'INSERT INTO telemetry SELECT 6, body FROM telemetry WHERE seq = 5'],
    ['a delivery was counted twice', 'UPDATE lanes SET delivered = 4'],
    ['the cursor ran ahead of the counts', 'UPDATE lanes SET cursor = 4'],
  ])('notices that %s', (_what, sql) => {
    change((db) => void db.exec(sql));
    expect(countStore(directory).problems).not.toEqual([]);
  });

  it('notices a damaged record when it looks closely', () => {
    change(
      (db) => void db.exec('UPDATE telemetry SET body = (SELECT body FROM telemetry WHERE seq = 1) WHERE seq = 2'),
    );
    expect(countStore(directory).problems).toEqual([]);
    expect(countStore(directory, { deep: true }).problems).toEqual(['telemetry: record 2 is damaged']);
  });
});

describe('the reader of upstream files', () => {
  async function arrivals(): Promise<Arrival[]> {
    const found: Arrival[] = [];
    for await (const arrival of readFiles(join(directory, 'upstream'))) found.push(arrival);
    return found;
  }

  it('reads whole lines and complains about a torn one', async () => {
    const folder = join(directory, 'upstream', 'gateway');
    mkdirSync(folder, { recursive: true });
    const time = '"time":"2026-05-01T00:00:00.000Z","timequality":"corrected"';
    const about = `"id":"g:e1:00000000000000000007","type":"sluice.events.tick",${time}`;
    const line = `{${about},"data":{"id":"lamp-000000001"}}\n`;
    writeFileSync(join(folder, 'events-e1-1.ndjson'), line);
    const at = { time: Date.UTC(2026, 4, 1), timeQuality: 'corrected' };
    const arrived = { stream: 'events', epoch: 'e1', seq: 7, recordId: 'lamp-000000001', part: '', ...at };
    expect(await arrivals()).toEqual([arrived]);
    writeFileSync(join(folder, 'events-backfill-3-e1-1.ndjson'), line);
    expect(await arrivals()).toEqual([{ ...arrived, part: 'backfill-3' }, arrived]);
    appendFileSync(join(folder, 'events-e1-1.ndjson'), line.slice(0, 40));
    await expect(arrivals()).rejects.toThrow('torn line');
  });
});
