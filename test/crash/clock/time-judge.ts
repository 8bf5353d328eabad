/** Compares the times that arrived upstream with those that the senders know. */

import type { Seq } from '../../../src/core/record.ts';
import { type Ledger, parseRecordId } from '../../support/ledger.ts';
import type { FileArrival } from '../../support/verify.ts';

/** The uptime goes in steps of 10 ms, and clocks in whole milliseconds. */
const TOLERANCE_MS = 100;

/** Seqs of records: (after, upTo]. */
export interface Stretch {
  readonly after: Seq;
  readonly upTo: Seq;
}

export interface TimeVerdict {
  /** Marked `corrected`, and right. */
  readonly correctedCount: number;
  /** Marked `corrected`, and wrong. */
  readonly miscorrectedCount: number;
  /** Marked `unsynced`, of a boot in which the clock was never synchronised. */
  readonly keptCount: number;
  /** Marked `unsynced`, though it could have been corrected. */
  readonly uncorrectedCount: number;
}

/** Judges what a gateway whose clock was wrong says of times; `lost`: records of boots without a synchronisation. */
export async function judgeTimes(
  arrivals: AsyncIterable<FileArrival>,
  ledgers: readonly Ledger[],
  lost: readonly Stretch[],
): Promise<TimeVerdict> {
  const byDevice = new Map(ledgers.map((ledger) => [ledger.device, ledger]));
  const counts = { correctedCount: 0, miscorrectedCount: 0, keptCount: 0, uncorrectedCount: 0 };
  for await (const { stream, seq, recordId, time, timeQuality } of arrivals) {
    // What the gateway itself says has no sender.
    if (stream === 'gaps') continue;
    const { device = '', number = 0 } = parseRecordId(recordId ?? '') ?? {};
    const [from = 0, to = 0] = byDevice.get(device)?.acceptedWithin(number) ?? [];
    const isRight = time >= from - TOLERANCE_MS && time <= to + TOLERANCE_MS;
    const isLost = lost.some(({ after, upTo }) => seq > after && seq <= upTo);
    if (timeQuality === 'corrected') counts[isRight ? 'correctedCount' : 'miscorrectedCount'] += 1;
    if (timeQuality === 'unsynced') counts[isLost ? 'keptCount' : 'uncorrectedCount'] += 1;
  }
  return counts;
}
