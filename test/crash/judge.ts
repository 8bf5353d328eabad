/** Compares what the senders were told with what arrived upstream. */

import type { Stream } from '../../src/core/stream.ts';
import { type Ledger, parseRecordId, recordId } from '../support/ledger.ts';
import type { Arrival } from '../support/verify.ts';

export interface Verdict {
  readonly sentCount: number;
  readonly ackedCount: number;
  /** Arrivals, repeats included. */
  readonly arrivedCount: number;
  /** Different seqs per stream: what `delivered` must say. */
  readonly distinctByStream: Readonly<Partial<Record<Stream, number>>>;
  /** Acknowledged, but neither upstream nor on their way there. */
  readonly lostCount: number;
  readonly lostExamples: readonly string[];
  readonly lostByDevice: Readonly<Record<string, number>>;
  /** Acknowledged and not upstream, but still in the store, of a run that was given up. */
  readonly undeliveredCount: number;
  /** The same seq more than once: a repeat of the uplink. */
  readonly repeatedCount: number;
  /** The same sender's record under two seqs: stored twice. */
  readonly storedTwiceCount: Readonly<Record<string, number>>;
  /** Upstream under another seq than its sender was told. */
  readonly mistoldCount: number;
  /** First occurrences that do not ascend, per device, stream, and part of it that is sent beside the lane. */
  readonly disorderedCount: number;
  /** Records that were sent both by a lane and beside it: readers could not tell the repeat. */
  readonly strayedCount: number;
  /** Records that nobody sent. */
  readonly strangeCount: number;
}

interface DeviceTrace {
  readonly ledger: Ledger;
  /** Seq under which each number was first seen; 0: not yet. */
  readonly seqs: Float64Array;
  /** By stream and part. */
  readonly last: Map<string, number>;
  storedTwice: number;
}

const MAX_EXAMPLES = 5;

export class Judge {
  readonly #traces: ReadonlyMap<string, DeviceTrace>;
  readonly #seqs = new Map<Stream, Set<number>>();
  /** Of what was sent beside a lane: its part by seq. */
  readonly #parts = new Map<number, string>();
  #strayed = 0;
  readonly #epochs = new Set<string>();
  #arrived = 0;
  #disordered = 0;
  #strange = 0;

  constructor(ledgers: readonly Ledger[]) {
    this.#traces = new Map(
      ledgers.map((ledger) => [
        ledger.device,
        { ledger, seqs: new Float64Array(ledger.sentCount + 1), last: new Map(), storedTwice: 0 },
      ]),
    );
  }

  async readAll(arrivals: AsyncIterable<Arrival>): Promise<void> {
    for await (const arrival of arrivals) this.#see(arrival);
  }

  #see({ stream, epoch, seq, recordId: id, part }: Arrival): void {
    this.#arrived += 1;
    this.#epochs.add(epoch);
    const seqs = this.#seqs.get(stream) ?? new Set();
    if (seqs.has(seq) && (this.#parts.get(seq) ?? '') !== part) this.#strayed += 1;
    if (part !== '') this.#parts.set(seq, part);
    this.#seqs.set(stream, seqs.add(seq));
    if (stream === 'gaps') return;
    const { device = '', number = 0 } = parseRecordId(id ?? '') ?? {};
    const trace = this.#traces.get(device);
    if (trace === undefined || number < 1 || number > trace.ledger.sentCount) {
      this.#strange += 1;
      return;
    }
    const firstSeq = trace.seqs[number] ?? 0;
    if (firstSeq !== 0) {
      if (firstSeq !== seq) trace.storedTwice += 1;
      return;
    }
    trace.seqs[number] = seq;
    const lane = `${stream} ${part}`;
    if (number < (trace.last.get(lane) ?? 0)) this.#disordered += 1;
    trace.last.set(lane, number);
  }

  /** `pending`: ids of the records that may still arrive. */
  verdict(pending: ReadonlySet<string> = new Set()): Verdict {
    const traces = [...this.#traces.values()];
    const absent = traces.map(({ ledger, seqs }) => [ledger.device, missing(ledger, seqs)] as const);
    const missed = absent.map(([device, ids]) => [device, ids.filter((id) => !pending.has(id))] as const);
    const lost = missed.flatMap(([, ids]) => ids);
    const distinct = [...this.#seqs].map(([stream, seqs]) => [stream, seqs.size] as const);
    return {
      sentCount: traces.reduce((sum, { ledger }) => sum + ledger.sentCount, 0),
      ackedCount: traces.reduce((sum, { ledger }) => sum + ledger.ackedCount, 0),
      arrivedCount: this.#arrived,
      distinctByStream: Object.fromEntries(distinct),
      lostCount: lost.length,
      lostExamples: lost.slice(0, MAX_EXAMPLES),
      lostByDevice: Object.fromEntries(missed.map(([device, ids]) => [device, ids.length])),
      undeliveredCount: absent.reduce((sum, [, ids]) => sum + ids.length, 0) - lost.length,
      repeatedCount: this.#arrived - distinct.reduce((sum, [, count]) => sum + count, 0),
      storedTwiceCount: Object.fromEntries(traces.map(({ ledger, storedTwice }) => [ledger.device, storedTwice])),
      mistoldCount: traces.reduce((sum, { ledger, seqs }) => sum + mistold(ledger, seqs), 0),
      disorderedCount: this.#disordered,
      strayedCount: this.#strayed,
      strangeCount: this.#strange + Math.max(0, this.#epochs.size - 1),
    };
  }
}

function missing(ledger: Ledger, seqs: Float64Array): string[] {
  const lost: string[] = [];
  for (let number = 1; number <= ledger.sentCount; number += 1) {
    if (ledger.isAcked(number) && seqs[number] === 0) lost.push(recordId(ledger.device, number));
  }
  return lost;
}

function mistold(ledger: Ledger, seqs: Float64Array): number {
  return seqs.reduce((count, seq, number) => {
    const told = ledger.toldSeq(number);
    return told === undefined || seq === 0 || seq === told ? count : count + 1;
  }, 0);
}
