import { describe, expect, it } from 'vitest';
import { Judge } from '../../crash/judge.ts';
import { Ledger, recordId } from '../../support/ledger.ts';
import type { Arrival } from '../../support/verify.ts';

const EPOCH = 'e1';

/** A device that sent five records and had the first four acknowledged. */
function sender(): Ledger {
  const ledger = new Ledger('lamp');
  for (let number = 1; number <= 5; number += 1) ledger.issue();
  for (let number = 1; number <= 4; number += 1) ledger.acknowledge(number);
  return ledger;
}

function arrive(...numbers: readonly number[]): Arrival[] {
  return numbers.map((number, index) => ({
    stream: 'telemetry',
    epoch: EPOCH,
    seq: index + 1,
    recordId: recordId('lamp', number),
    part: '',
  }));
}

async function judge(arrivals: readonly Arrival[], ledger = sender()): Promise<ReturnType<Judge['verdict']>> {
  const found = new Judge([ledger]);
  await found.readAll(
    (async function* () {
      yield* arrivals;
    })(),
  );
  return found.verdict();
}

describe('the judge of a crash run', () => {
  it('finds nothing wrong when every acknowledged record arrived once and in order', async () => {
    expect(await judge(arrive(1, 2, 3, 4))).toMatchObject({
      sentCount: 5,
      ackedCount: 4,
      lostCount: 0,
      repeatedCount: 0,
      storedTwiceCount: { lamp: 0 },
      disorderedCount: 0,
      strangeCount: 0,
    });
  });

  it('lets a record arrive that was never acknowledged', async () => {
    expect(await judge(arrive(1, 2, 3, 4, 5))).toMatchObject({ lostCount: 0, strangeCount: 0 });
  });

  it('names an acknowledged record that did not arrive', async () => {
    expect(await judge(arrive(1, 2, 4))).toMatchObject({
      lostCount: 1,
      lostExamples: ['lamp-000000003'],
      lostByDevice: { lamp: 1 },
    });
  });

  it('expects order within what is sent beside a lane, and not between the two', async () => {
    const beside = arrive(1, 2).map((arrival, index) => ({ ...arrival, seq: 10 + index, part: 'backfill' }));
    expect(await judge([...arrive(3, 4), ...beside])).toMatchObject({ disorderedCount: 0, lostCount: 0 });
    expect(await judge([...arrive(3, 4), ...beside.toReversed()])).toMatchObject({ disorderedCount: 1 });
  });

  it('finds what was sent both by a lane and beside it', async () => {
    const beside = arrive(1, 2).map((arrival) => ({ ...arrival, part: 'backfill' }));
    expect(await judge([...beside, ...arrive(1)])).toMatchObject({ strayedCount: 1 });
    expect(await judge([...beside, ...beside])).toMatchObject({ strayedCount: 0, repeatedCount: 2 });
  });

  it('tells a record that was stored twice from one that was delivered twice', async () => {
    const [first, ...rest] = arrive(1, 2, 3, 4);
    const repeat = first as Arrival;
    expect(await judge([repeat, repeat, ...rest])).toMatchObject({ repeatedCount: 1, storedTwiceCount: { lamp: 0 } });
    expect(await judge(arrive(1, 1, 2, 3, 4))).toMatchObject({ repeatedCount: 0, storedTwiceCount: { lamp: 1 } });
  });

  it('notices a record that is upstream under another seq than its sender was told', async () => {
    const ledger = sender();
    for (const number of [1, 2]) ledger.acknowledge(number, number);
    expect(await judge(arrive(1, 2, 3, 4), ledger)).toMatchObject({ mistoldCount: 0 });
    expect(await judge(arrive(2, 1, 3, 4), ledger)).toMatchObject({ mistoldCount: 2 });
  });

  it('notices first occurrences that do not ascend', async () => {
    expect(await judge(arrive(1, 3, 2, 4))).toMatchObject({ disorderedCount: 1 });
    expect(await judge(arrive(1, 2, 1, 2, 3, 4))).toMatchObject({ disorderedCount: 0 });
  });

  it('notices what nobody sent, and a second epoch', async () => {
    expect(await judge(arrive(1, 2, 3, 4, 6))).toMatchObject({ strangeCount: 1 });
    const foreign = arrive(1, 2, 3, 4).map((arrival, index) => ({ ...arrival, epoch: `e${index % 2}` }));
    expect(await judge(foreign)).toMatchObject({ strangeCount: 1 });
  });
});
