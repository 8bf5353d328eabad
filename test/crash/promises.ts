import type { GatewayProcess } from '../support/gateway-process.ts';
import { type Arrival, countStore, pendingIds } from '../support/verify.ts';
import type { Fleet } from './fleet.ts';
import { Judge, type Verdict } from './judge.ts';

export interface Judgement {
  readonly verdict: Verdict;
  /** Every promise that was broken, in words; empty when all were kept. */
  readonly problems: readonly string[];
}

/**
 * Judges a run whose gateway has drained and stopped: ledgers, files of the store and upstream against each other.
 * `isGivenUp`: it has not drained, and what is still in the store is not lost.
 */
export async function judgeRun(
  gateway: GatewayProcess,
  fleet: Fleet,
  arrivals: AsyncIterable<Arrival>,
  { isGivenUp = false } = {},
): Promise<Judgement> {
  const judge = new Judge(fleet.senders.map(({ ledger }) => ledger));
  await judge.readAll(arrivals);
  const verdict = judge.verdict(isGivenUp ? pendingIds(gateway.dataDir) : new Set());
  return { verdict, problems: [...countProblems(gateway, verdict, isGivenUp), ...senderProblems(fleet, verdict)] };
}

function countProblems(gateway: GatewayProcess, verdict: Verdict, isGivenUp: boolean): string[] {
  const { lanes, problems } = countStore(gateway.dataDir, { deep: true });
  const found = [...problems];
  for (const { stream, deliveredCount, pendingCount } of lanes) {
    const arrived = verdict.distinctByStream[stream] ?? 0;
    if (pendingCount !== 0) found.push(`${stream}: ${pendingCount} pending at the end`);
    // Of a batch whose settlement never came it is not known here that it arrived.
    const most = isGivenUp ? deliveredCount + pendingCount : deliveredCount;
    if (arrived < deliveredCount || arrived > most)
      found.push(`${stream}: ${deliveredCount} delivered, but ${arrived} arrived`);
  }
  return found;
}

function senderProblems(fleet: Fleet, verdict: Verdict): string[] {
  const {
    ackedCount,
    lostCount,
    lostExamples,
    undeliveredCount,
    disorderedCount,
    strayedCount,
    strangeCount,
    storedTwiceCount,
    mistoldCount,
  } = verdict;
  const found: string[] = [];
  const twice = fleet.exactlyOnceDevices.filter((device) => storedTwiceCount[device] !== 0);
  if (ackedCount === 0) found.push('nothing was acknowledged: the run says nothing');
  if (fleet.speaksHttp && fleet.replayedCount === 0)
    found.push('no request was repeated: idempotency keys were not tried');
  if (lostCount > 0) found.push(`${lostCount} acknowledged records lost: ${lostExamples.join(' ')}`);
  if (undeliveredCount > 0) found.push(`${undeliveredCount} acknowledged records undelivered`);
  if (mistoldCount > 0) found.push(`${mistoldCount} records under another seq than their senders were told`);
  if (disorderedCount > 0) found.push(`${disorderedCount} records out of order`);
  if (strayedCount > 0) found.push(`${strayedCount} records sent both by a lane and beside it`);
  if (strangeCount > 0) found.push(`${strangeCount} records that nobody sent`);
  if (twice.length > 0) found.push(`records stored twice: ${twice.join(' ')}`);
  if (fleet.strayCount > 0) found.push(`${fleet.strayCount} acknowledgements of nothing in flight`);
  return found;
}
