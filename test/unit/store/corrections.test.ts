import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { BootTime, Seq, StoredRecord } from '../../../src/core/record.ts';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { AgeLimit } from '../../../src/store/age-limit.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { SqliteLogReader } from '../../../src/store/log/reader.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const PLANT: LaneId = { uplink: 'plant', stream: 'telemetry' };
const GAPS: LaneId = { uplink: 'plant', stream: 'gaps' };
const CHUNK = { maxRecords: 100, maxBytes: 1 << 20 };
const MAX_BOOTS = 256;
const DAY = 24 * 3_600_000;
const STARTED_AT = Date.UTC(2026, 4, 1);
const [BOOT, OTHER] = ['b'.repeat(32), 'a'.repeat(32)];

describe('a record from before the first synchronisation of a boot', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let quality: 'synced' | 'unsynced';
  let now: number;
  let bootTime: BootTime;

  const clock = { now: () => now, elapsed: () => now, quality: () => quality, bootTime: () => bootTime };

  beforeEach(() => {
    directory = storeDirectory();
    quality = 'unsynced';
    now = 7_000;
    bootTime = { bootId: BOOT, uptimeMs: 7_000 };
    log = openLog(directory.dataDir, clock);
    log.transaction(() => [PLANT, GAPS].map((lane) => log.lanes.open(lane, 'oldest')));
  });

  afterEach(() => {
    log.close();
    directory.remove();
  });

  function accept(): Seq {
    let seq = 0;
    const record = newRecord({ receivedAt: now, timeQuality: quality, ...(quality === 'unsynced' && { bootTime }) });
    log.transaction(() => {
      seq = log.records.append('telemetry', encodeRecord(record, 0));
    });
    return seq;
  }

  function sync(bootId = BOOT, startedAt = STARTED_AT): void {
    log.transaction(() => log.noteSync({ bootId, startedAt }));
  }

  function restart(): void {
    const { lastSeq } = log.records;
    log.close();
    log = openLog(directory.dataDir, clock, lastSeq);
  }

  function read(stream: 'telemetry' | 'gaps' = 'telemetry'): readonly StoredRecord[] {
    const reader = new SqliteLogReader(`${directory.dataDir}/log.db`);
    const { records } = reader.read(stream, 0, CHUNK);
    reader.close();
    return records;
  }

  const times = () => read().map(({ receivedAt, timeQuality }) => [receivedAt, timeQuality]);

  it('has its true time, however often the clock was set between', () => {
    accept();
    now = Date.UTC(2082, 0);
    bootTime = { bootId: BOOT, uptimeMs: 9_000 };
    accept();
    sync();
    expect(times()).toEqual([
      [STARTED_AT + 7_000, 'corrected'],
      [STARTED_AT + 9_000, 'corrected'],
    ]);
  });

  it('has it over a restart before or after the synchronisation', () => {
    accept();
    restart();
    accept();
    sync();
    restart();
    expect(times()).toEqual([
      [STARTED_AT + 7_000, 'corrected'],
      [STARTED_AT + 7_000, 'corrected'],
    ]);
  });

  it('keeps what the clock said when the machine was started again before', () => {
    accept();
    restart();
    bootTime = { bootId: OTHER, uptimeMs: 3_000 };
    sync(OTHER);
    expect(times()).toEqual([[7_000, 'unsynced']]);
  });

  it('has one true time, though the clock is synchronised again', () => {
    accept();
    sync();
    sync(BOOT, STARTED_AT + 500);
    expect(times()).toEqual([[STARTED_AT + 7_000, 'corrected']]);
  });

  it('keeps what the clock said once so many boots had a synchronisation since', () => {
    accept();
    sync();
    const later = (n: number): string => n.toString(16).padStart(32, '0');
    for (let n = 1; n < MAX_BOOTS; n += 1) sync(later(n));
    expect(times()).toEqual([[STARTED_AT + 7_000, 'corrected']]);
    sync(later(MAX_BOOTS));
    expect(times()).toEqual([[7_000, 'unsynced']]);
  });

  it('is as old as it is, where the oldest is shown', () => {
    accept();
    const oldest = () => [log.stats().streams[0]?.oldestReceivedAt, log.stats().lanes[0]?.oldestPendingAt];
    expect(oldest()).toEqual([7_000, 7_000]);
    sync();
    expect(oldest()).toEqual([STARTED_AT + 7_000, STARTED_AT + 7_000]);
  });

  it('is reported with its true time when a limit takes it', () => {
    accept();
    sync();
    log.transaction(() => void log.reclaim.dropPending('max_bytes', CHUNK));
    const [gap] = read('gaps');
    const time = new Date(STARTED_AT + 7_000).toISOString();
    expect(JSON.parse(Buffer.from(gap?.value ?? []).toString())).toMatchObject({ first_time: time, last_time: time });
    // The report itself was made before the clock was synchronised, too.
    expect(gap).toMatchObject({ receivedAt: STARTED_AT + 7_000, timeQuality: 'corrected' });
  });

  it('is observed at its true time when it is tried again as a reject', () => {
    const seq = accept();
    const rejected = [{ seq, reason: 'message_too_large', detail: 'why' }];
    log.transaction(() => log.settle({ lane: PLANT, from: 0, upTo: seq, deliveredCount: 0, rejected }));
    sync();
    quality = 'synced';
    now = STARTED_AT + 60_000;
    log.transaction(() => void log.retryReject(1));
    expect(read()[1]).toMatchObject({
      observedAt: STARTED_AT + 7_000,
      receivedAt: STARTED_AT + 60_000,
      timeQuality: 'synced',
    });
    expect(read()[1]?.bootTime).toBeUndefined();
  });

  it('is found by its true time when records are sent again', () => {
    const seq = accept();
    log.transaction(() => log.settle({ lane: PLANT, from: 0, upTo: seq, deliveredCount: 1, rejected: [] }));
    sync();
    const filter = { device: null, from: STARTED_AT, to: STARTED_AT + 60_000 };
    log.transaction(() => void log.addReplay({ ...PLANT, after: 0, upTo: seq, ...filter }));
    log.transaction(() => void log.reclaim.removeDelivered(CHUNK));
    expect(log.ranges.replayStats()).toMatchObject([{ removedCount: 1 }]);
  });

  it('does not grow old sooner: its age goes by what came after it, as before', () => {
    accept();
    // By this it would be two days old.
    sync(BOOT, STARTED_AT - 2 * DAY);
    quality = 'synced';
    now = STARTED_AT;
    const age = new AgeLimit(log, { maxAgeMs: DAY, chunk: CHUNK }, clock);
    const lookFor = (ms: number): void => {
      for (const end = now + ms; now < end; now += 900_000) while (age.step());
    };
    lookFor(DAY - 3_600_000);
    expect(read()).toHaveLength(1);
    lookFor(2 * 3_600_000);
    expect(read()).toHaveLength(0);
  });
});
