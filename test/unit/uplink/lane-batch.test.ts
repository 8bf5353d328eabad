import { describe, expect, it } from 'vitest';
import type { Batch, LaneId } from '../../../src/core/lane-log.ts';
import type { Outcome } from '../../../src/core/upstream.ts';
import { BatchLimit } from '../../../src/uplink/batch-limit.ts';
import { laneBatch, settlementOf, withinRange } from '../../../src/uplink/lane-batch.ts';
import { RateMeter } from '../../../src/uplink/rate-meter.ts';
import { storedRecord, storedRecords } from '../../support/stored-record.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const GAPS: LaneId = { uplink: 'plant', stream: 'gaps' };

function read(changes: Partial<Batch> = {}): Batch {
  return { records: storedRecords(1, 5), upTo: 5, damaged: [], hasMore: false, ...changes };
}

function outcome(upTo: number, changes: Partial<Outcome> = {}): Outcome {
  return { upTo, rejected: [], error: null, ...changes };
}

describe('a batch of a lane', () => {
  it('has only what is behind the cursor', () => {
    const { from, upTo, records, damaged } = laneBatch(LANE, 3, read({ damaged: [2, 4] }));
    expect([from, upTo, damaged]).toEqual([3, 5, [4]]);
    expect(records.map(({ seq }) => seq)).toEqual([4, 5]);
  });

  it('is empty when a limit dropped all of it', () => {
    expect(laneBatch(LANE, 9, read())).toEqual({ from: 9, upTo: 9, records: [], damaged: [], hasMore: false });
  });

  it('has no record that is tried again for another uplink', () => {
    const records = ['plant', 'stick', 'plant'].map((uplink, index) =>
      storedRecord(index + 2, { retryOf: { uplink, seq: 1 } }),
    );
    const batch = laneBatch(LANE, 0, read({ records: [...storedRecords(1, 1), ...records], upTo: 4 }));
    expect([batch.records.map(({ seq }) => seq), batch.upTo]).toEqual([[1, 2, 4], 4]);
  });

  it('has only the gaps that concern its uplink', () => {
    const records = ['plant', 'stick', 'plant'].map((channel, index) =>
      storedRecord(index + 1, { stream: 'gaps', channel }),
    );
    expect(laneBatch(GAPS, 0, read({ records, upTo: 3 })).records.map(({ seq }) => seq)).toEqual([1, 3]);
  });

  it('of a range has nothing behind it once the end of the range is in it', () => {
    const filter = { device: null, from: null, to: null };
    const ends = [4, 5, 6].map((upTo) => withinRange(read({ hasMore: true }), { upTo, filter }).hasMore);
    expect(ends).toEqual([false, false, true]);
  });
});

describe('the settlement of a batch', () => {
  it('covers what was looked at when everything is delivered', () => {
    const batch = laneBatch(LANE, 0, read({ upTo: 9 }));
    expect(settlementOf(LANE, batch, outcome(5))).toEqual({
      lane: LANE,
      from: 0,
      upTo: 9,
      deliveredCount: 5,
      rejected: [],
    });
  });

  it('covers only what was delivered when the rest stays', () => {
    const batch = laneBatch(LANE, 0, read({ upTo: 9 }));
    expect(settlementOf(LANE, batch, outcome(3))).toMatchObject({ from: 0, upTo: 3, deliveredCount: 3 });
    expect(settlementOf(LANE, batch, outcome(0))).toBeUndefined();
  });

  it('counts no rejected record as delivered', () => {
    const rejected = [{ seq: 2, reason: 'message_too_large', detail: '' }];
    const settlement = settlementOf(LANE, laneBatch(LANE, 0, read()), outcome(5, { rejected }));
    expect(settlement).toMatchObject({ deliveredCount: 4, rejected });
  });

  it('rejects damaged records on its way, in their order', () => {
    const batch = laneBatch(
      LANE,
      0,
      read({ records: [storedRecord(2), storedRecord(4)], upTo: 5, damaged: [1, 3, 5] }),
    );
    const rejected = [{ seq: 2, reason: 'invalid_record', detail: '' }];
    const reasons = (upTo: number) =>
      settlementOf(LANE, batch, outcome(upTo, { rejected }))?.rejected.map(({ seq, reason }) => [seq, reason]);
    expect(reasons(2)).toEqual([
      [1, 'record_damaged'],
      [2, 'invalid_record'],
    ]);
    expect(reasons(4)).toHaveLength(4);
  });

  it('of nothing but damaged or foreign records delivers nothing and moves on', () => {
    const batch = laneBatch(LANE, 0, read({ records: [], upTo: 2, damaged: [1] }));
    expect(settlementOf(LANE, batch, outcome(2))).toMatchObject({ upTo: 2, deliveredCount: 0, rejected: [{ seq: 1 }] });
  });
});

describe('BatchLimit', () => {
  it('halves down to one record and comes back', () => {
    const limit = new BatchLimit({ maxRecords: 1_000, maxBytes: 1 << 20, maxWait: 0 });
    for (let times = 0; times < 30; times += 1) limit.shrink();
    expect(limit.limit.maxRecords).toBe(1);
    expect(limit.limit.maxBytes).toBeGreaterThan(0);
    for (let times = 0; times < 30; times += 1) limit.grow();
    expect(limit.limit).toEqual({ maxRecords: 1_000, maxBytes: 1 << 20 });
  });
});

describe('RateMeter', () => {
  it('is the mean of the last ten whole seconds', () => {
    let now = 0;
    const meter = new RateMeter(() => now);
    meter.add(100);
    expect(meter.perSecond()).toBe(0);
    now = 1_500;
    meter.add(300);
    expect(meter.perSecond()).toBe(10);
    now = 2_000;
    expect(meter.perSecond()).toBe(40);
    now = 11_000;
    expect(meter.perSecond()).toBe(30);
    now = 100_000;
    expect(meter.perSecond()).toBe(0);
  });
});
