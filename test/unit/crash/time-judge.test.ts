import { describe, expect, it } from 'vitest';
import type { TimeQuality } from '../../../src/core/record.ts';
import { judgeTimes, type Stretch } from '../../crash/clock/time-judge.ts';
import { Ledger, recordId } from '../../support/ledger.ts';
import type { FileArrival } from '../../support/verify.ts';

const NONE = { correctedCount: 0, miscorrectedCount: 0, keptCount: 0, uncorrectedCount: 0 };
const HOUR_MS = 3_600_000;
const SEQ = 7;

/** Of one record, whose sender sent it just now and had it acknowledged. */
function judge(
  timeQuality: TimeQuality,
  offMs = 0,
  options: Partial<FileArrival> & { readonly lost?: readonly Stretch[] } = {},
) {
  const { lost = [], ...changes } = options;
  const ledger = new Ledger('lamp');
  const number = ledger.issue();
  ledger.acknowledge(number);
  const [time] = ledger.acceptedWithin(number);
  const about = { stream: 'telemetry', epoch: 'e1', seq: SEQ, recordId: recordId('lamp', number), part: '' } as const;
  const arrived: FileArrival = { ...about, time: time + offMs, timeQuality, ...changes };
  const arrivals = (async function* () {
    yield arrived;
  })();
  return judgeTimes(arrivals, [ledger], lost);
}

describe('the judge of times', () => {
  it('counts what is corrected, rightly or wrongly', async () => {
    expect(await judge('corrected')).toEqual({ ...NONE, correctedCount: 1 });
    expect(await judge('corrected', HOUR_MS)).toEqual({ ...NONE, miscorrectedCount: 1 });
    expect(await judge('corrected', -HOUR_MS)).toEqual({ ...NONE, miscorrectedCount: 1 });
  });

  it('lets only records of boots without a synchronisation stay as they are', async () => {
    expect(await judge('unsynced', HOUR_MS)).toEqual({ ...NONE, uncorrectedCount: 1 });
    expect(await judge('unsynced', HOUR_MS, { lost: [{ after: SEQ, upTo: SEQ + 1 }] })).toEqual({
      ...NONE,
      uncorrectedCount: 1,
    });
    expect(await judge('unsynced', HOUR_MS, { lost: [{ after: SEQ - 1, upTo: SEQ }] })).toEqual({
      ...NONE,
      keptCount: 1,
    });
  });

  it('leaves the rest to the clock, and to the gateway what it says itself', async () => {
    expect(await judge('synced', HOUR_MS)).toEqual(NONE);
    const gap = { stream: 'gaps', recordId: null } as const;
    expect(await judge('corrected', HOUR_MS, gap)).toEqual(NONE);
  });
});
