/**
 * One simulated device that stores its records over HTTP, one request after the other: a request that was not answered
 * is sent again with the same Idempotency-Key until it is. Now and then it does not wait for the answer, as when a
 * network loses it. Keeps a ledger of every record.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { Ledger, recordId } from './ledger.ts';
import type { SeededRandom } from './random.ts';

export interface HttpSenderOptions {
  readonly device: string;
  /** Of the API. */
  readonly port: number;
  /** Records of the largest batch; 1 for none. */
  readonly maxBatch: number;
  readonly random: SeededRandom;
}

interface Request {
  readonly path: string;
  readonly key: string;
  readonly body: string;
  readonly numbers: readonly number[];
}

const ANSWER_TIMEOUT_MS = 5_000;
const AGAIN_AFTER_MS = 25;
const LOST_ANSWERS = 0.1;
const LONGEST_LOST_MS = 10;

export class HttpSender {
  readonly ledger: Ledger;
  readonly #options: HttpSenderOptions;
  #pending: Request | undefined;
  #asking = new AbortController();
  #state: 'idle' | 'producing' | 'finishing' | 'closed' = 'idle';
  /** Answers that a repeated request must never get. */
  strayCount = 0;
  /** Answers to requests whose records had been stored before. */
  replayedCount = 0;

  constructor(options: HttpSenderOptions) {
    this.#options = options;
    this.ledger = new Ledger(options.device);
  }

  start(): void {
    this.#state = 'producing';
    void this.#run();
  }

  /** No new records; what is in flight is still brought to its end. */
  stopProducing(): void {
    this.#state = 'finishing';
  }

  /** Loses the answer to what it is asking, and asks again. */
  interrupt(): void {
    this.#asking.abort();
  }

  get unfinishedCount(): number {
    return this.#pending === undefined ? 0 : 1;
  }

  close(): void {
    this.#state = 'closed';
  }

  async #run(): Promise<void> {
    while (this.#state === 'producing' || (this.#state === 'finishing' && this.#pending !== undefined)) {
      this.#pending ??= this.#produce();
      if (await this.#isAnswered(this.#pending)) this.#pending = undefined;
      else await delay(AGAIN_AFTER_MS);
    }
  }

  #produce(): Request {
    const { device, maxBatch, random } = this.#options;
    const isEvent = random.chance(0.2);
    const batch = isEvent || random.chance(0.8) ? 1 : random.between(2, maxBatch);
    const numbers = Array.from({ length: batch }, () => this.ledger.issue());
    const bodies = numbers.map((number) => `{"id":"${recordId(device, number)}","value":${number % 100}}`);
    return {
      path: `/v1/devices/${device}/${isEvent ? 'events/tick' : 'telemetry'}`,
      key: recordId(device, numbers[0] ?? 0),
      body: batch === 1 ? (bodies[0] ?? '') : `[${bodies.join(',')}]`,
      numbers,
    };
  }

  async #isAnswered({ path, key, body, numbers }: Request): Promise<boolean> {
    this.#asking = new AbortController();
    try {
      const response = await fetch(`http://127.0.0.1:${this.#options.port}${path}`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', 'idempotency-key': `"${key}"` },
        signal: AbortSignal.any([this.#asking.signal, AbortSignal.timeout(this.#patienceMs())]),
      });
      const answer = (await response.json()) as { readonly first_seq: number };
      if (response.status === 503) return false;
      if (response.status === 202) this.#acknowledged(numbers, answer.first_seq);
      else this.strayCount += 1;
      if (response.headers.has('idempotent-replayed')) this.replayedCount += 1;
      return true;
    } catch {
      // Killed, or not there yet: whether it was stored is not known.
      return false;
    }
  }

  /** The seqs of one request have no holes. */
  #acknowledged(numbers: readonly number[], firstSeq: number): void {
    for (const [index, number] of numbers.entries()) this.ledger.acknowledge(number, firstSeq + index);
  }

  #patienceMs(): number {
    const { random } = this.#options;
    return random.chance(LOST_ANSWERS) ? random.between(1, LONGEST_LOST_MS) : ANSWER_TIMEOUT_MS;
  }
}
