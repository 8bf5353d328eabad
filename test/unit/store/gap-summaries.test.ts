import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../../src/core/gap.ts';
import { encodeRecord, readRecord } from '../../../src/core/record-codec.ts';
import type { Log } from '../../../src/store/log/log.ts';
import { openLog } from '../../support/open-log.ts';
import { storeDirectory } from '../../support/open-store.ts';
import { newRecord } from '../../support/records.ts';

const DEVICES = 10;
const CHUNK = { maxRecords: 2 * DEVICES, maxBytes: 2 ** 30 };
const MINUTE = 60_000;

describe('gaps of a loss that goes on', () => {
  let directory: ReturnType<typeof storeDirectory>;
  let log: Log;
  let elapsed: number;

  beforeEach(() => {
    directory = storeDirectory();
    elapsed = 0;
    log = openLog(directory.dataDir, {
      now: Date.now,
      elapsed: () => elapsed,
      quality: () => 'synced',
      bootTime: () => undefined,
    });
    log.transaction(() => log.lanes.open({ uplink: 'plant', stream: 'telemetry' }, 'oldest'));
  });

  afterEach(() => {
    log.close();
    directory.remove();
  });

  /** One chunk after the other; records of all devices alternate. */
  function lose(chunks: number, devices = DEVICES): void {
    log.transaction(() => {
      for (let index = 0; index < chunks * CHUNK.maxRecords; index += 1)
        log.records.append('telemetry', encodeRecord(newRecord({ device: `d${index % devices}` }), 0));
    });
    for (let left = chunks; left > 0; left -= 1)
      log.transaction(() => expect(log.reclaim.dropPending('max_bytes', CHUNK)).toBe(CHUNK.maxRecords));
  }

  function gaps(): Gap[] {
    return log.records
      .oldest('gaps', { after: 0, upTo: Number.MAX_SAFE_INTEGER }, { maxRecords: 10_000, maxBytes: 2 ** 30 })
      .map(({ seq, body }) => JSON.parse(Buffer.from(readRecord('gaps', seq, body).value).toString()) as Gap);
  }

  it('name each device at first, and sum up the devices of each chunk when there were many in a minute', () => {
    lose(100);
    const all = gaps();
    expect(all.slice(0, DEVICES).map(({ device }) => device)).toEqual([
      'd0',
      'd1',
      'd2',
      'd3',
      'd4',
      'd5',
      'd6',
      'd7',
      'd8',
      'd9',
    ]);
    expect(all.length).toBeLessThanOrEqual(64 + 100);
    expect(all.at(-1)).toMatchObject({ device: null, count: CHUNK.maxRecords });
    expect(all.reduce((sum, { count }) => sum + count, 0)).toBe(100 * CHUNK.maxRecords);
  });

  it('name devices again a minute later', () => {
    lose(100);
    elapsed += MINUTE;
    lose(1);
    expect(gaps().at(-1)).toMatchObject({ device: 'd9', count: 2 });
  });

  it('go on naming the device when there is only one', () => {
    lose(100);
    lose(1, 1);
    expect(gaps().at(-1)).toMatchObject({ device: 'd0', count: CHUNK.maxRecords });
  });

  it('are one summary for a chunk of many devices', () => {
    lose(1, CHUNK.maxRecords);
    expect(gaps()).toMatchObject([{ device: null, count: CHUNK.maxRecords }]);
  });
});
