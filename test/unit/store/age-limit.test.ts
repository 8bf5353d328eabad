import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ReadLimit } from '../../../src/core/lane-log.ts';
import type { NewRecord } from '../../../src/core/record.ts';
import { encodeRecord } from '../../../src/core/record-codec.ts';
import { AgeLimit } from '../../../src/store/age-limit.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const GAPS = { uplink: 'plant', stream: 'gaps' } as const;
const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Within it the limit is looked at. */
const QUARTER = HOUR / 4;
const START = Date.UTC(2026, 4, 1);
/** Few, so that what is looked at in one step ends soon. */
const CHUNK = { maxRecords: 10, maxBytes: 2 ** 20 };

describe('the limit of age', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let lastSeq: number;
  let chunk: ReadLimit;
  let age: AgeLimit;
  let now: number;
  let elapsed: number;
  let quality: 'synced' | 'unsynced';

  beforeEach(() => {
    directory = storeDirectory();
    now = START;
    elapsed = 0;
    lastSeq = 0;
    chunk = CHUNK;
    quality = 'synced';
    start();
    log.transaction(() => log.lanes.open(LANE, 'oldest'));
  });

  afterEach(() => {
    log.close();
    directory.remove();
  });

  function start(): void {
    const clock = { now: () => now, elapsed: () => elapsed, quality: () => quality, bootTime: () => undefined };
    log = openLog(directory.dataDir, clock, lastSeq);
    age = new AgeLimit(log, { maxAgeMs: DAY, chunk }, clock);
    lookOnce();
  }

  /** The machine is off; the clock that it has then is what `wakesAt` says. */
  function restart(wakesAt: number): void {
    lastSeq = log.records.lastSeq;
    log.close();
    now = wakesAt;
    elapsed = 0;
    start();
  }

  function append(count = 1, changes: Partial<NewRecord> = {}): void {
    const record = { receivedAt: now, timeQuality: quality, value: Buffer.from('{"t":1}'), ...changes };
    log.transaction(() => {
      for (let left = count; left > 0; left -= 1) log.records.append('telemetry', encodeRecord(newRecord(record), 0));
    });
  }

  function lookOnce(): void {
    while (age.step());
  }

  function pass(ms: number): void {
    // The store looks many times a second: a clock that goes on steadily must not look as if it had been set.
    for (let left = ms; left > 0; left -= HOUR) {
      const step = Math.min(left, HOUR);
      now += step;
      elapsed += step;
      lookOnce();
    }
  }

  const pending = () => log.stats().lanes[0]?.pendingCount;

  it('takes what is older, and that alone', () => {
    append(3);
    pass(HOUR);
    append(2);
    pass(DAY - HOUR + QUARTER);
    expect(pending()).toBe(2);
    pass(HOUR);
    expect(pending()).toBe(0);
    expect(log.stats().lanes[0]?.droppedByReason).toEqual({ max_age: 5 });
  });

  it('counts the time without power, but leaves an hour to deliver what waits', () => {
    append(3);
    restart(START + 30 * DAY);
    pass(HOUR - 1);
    expect(pending()).toBe(3);
    pass(QUARTER);
    expect(pending()).toBe(0);
  });

  it('takes nothing while the clock is not synchronised', () => {
    append(3);
    quality = 'unsynced';
    restart(START + 30 * DAY);
    pass(10 * DAY);
    expect(pending()).toBe(3);
  });

  it.each([
    ['fifty-six years ahead', 56 * 365 * DAY],
    ['a day and an hour ahead', DAY + HOUR],
  ])('takes nothing when the clock runs %s for less than an hour', (_, jump) => {
    append(3);
    pass(HOUR);
    now += jump;
    pass(HOUR - 1);
    expect(pending()).toBe(3);
    now -= jump;
    pass(10 * HOUR);
    expect(pending()).toBe(3);
    pass(13 * HOUR);
    expect(pending()).toBe(0);
  });

  it('takes what was stored under a wrong clock no sooner than an hour before its time, when the clock was an hour behind', () => {
    now -= HOUR;
    append(1);
    now += HOUR;
    pass(DAY - HOUR);
    expect(pending()).toBe(1);
  });

  it('takes records without a synchronised time when the first sure moment after them is too old, and not before', () => {
    quality = 'unsynced';
    restart(0);
    append(25);
    pass(5 * DAY);
    now = START;
    quality = 'synced';
    lookOnce();
    append(5);
    pass(DAY);
    expect(pending()).toBe(30);
    pass(HOUR);
    expect(pending()).toBe(0);
  });

  it('is not held up by records without a synchronised time, however many there are', () => {
    quality = 'unsynced';
    append(35, { receivedAt: 0 });
    quality = 'synced';
    restart(START + HOUR);
    append(5);
    pass(DAY + HOUR);
    append(1);
    pass(QUARTER);
    expect(pending()).toBe(1);
  });

  it('takes records without a synchronised time with one that came after them', () => {
    const unsynced = { receivedAt: 0, timeQuality: 'unsynced' } as const;
    append(2, unsynced);
    append(1, { receivedAt: START - DAY });
    append(1, unsynced);
    append(1);
    pass(HOUR);
    expect(pending()).toBe(2);
  });

  it('is not held up by records of a time that is still to come', () => {
    append(1, { receivedAt: START + 3_650 * DAY });
    append(1);
    restart(START + HOUR);
    pass(DAY + QUARTER);
    expect(pending()).toBe(0);
  });

  it('reports what it takes in few gaps', () => {
    log.transaction(() => log.lanes.open(GAPS, 'oldest'));
    chunk = { maxRecords: 5_000, maxBytes: 2 ** 22 };
    restart(START);
    for (let step = 0; step < 240; step += 1) {
      append(20, { device: `d${step % 10}` });
      now += (2 * DAY) / 240;
      elapsed += (2 * DAY) / 240;
      lookOnce();
    }
    const { lanes } = log.stats();
    const lost = lanes.find(({ stream }) => stream === 'telemetry')?.droppedCount ?? 0;
    expect(lost).toBeGreaterThan(2_300);
    const count = log.records.count('gaps').acceptedCount;
    expect([count > 0, count < lost / 8]).toEqual([true, true]);
  });

  it('never takes a report of a loss that is not delivered', () => {
    log.transaction(() => log.lanes.open(GAPS, 'oldest'));
    append(3);
    pass(DAY + HOUR);
    expect(log.records.count('gaps').acceptedCount).toBe(1);
    for (let week = 0; week < 4; week += 1) pass(7 * DAY);
    expect(log.stats().lanes[1]).toMatchObject({ stream: 'gaps', pendingCount: 1, droppedCount: 0 });
  });

  it('takes delivered records by the same rules', () => {
    append(3);
    const { lastSeq } = log.records.count('telemetry');
    const settled = { lane: LANE, from: 0, upTo: lastSeq, deliveredCount: 3, rejected: [] };
    log.transaction(() => log.settle(settled));
    restart(START + 30 * DAY);
    pass(HOUR - 1);
    expect(log.stats().streams[0]?.storedCount).toBe(3);
    pass(QUARTER);
    expect(log.stats().streams[0]?.storedCount).toBe(0);
    expect(log.stats().lanes[0]?.droppedCount).toBe(0);
  });
});
