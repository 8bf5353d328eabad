import { SluiceError } from '../../core/errors.ts';
import type { Outcome, SendOptions } from '../../core/ports.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import { TIMED_OUT } from '../bounded.ts';
import { sendInOrder, type Verdict } from './in-order.ts';
import type { Judgement } from './judgement.ts';
import type { KafkaClient } from './kafka-client.ts';
import { messageBytes } from './message-builder.ts';
import type { HashedMessage } from './partitioner.ts';
import type { Target } from './target.ts';

/** So many refusals of a topic in a row may be one that is just being made known; more need people. */
const TOPIC_PATIENCE_COUNT = 3;
/** A topic that refused the observed time of a record gets the time of sending for so long. */
const SENT_TIME_MS = 600_000;

export interface BatchSendParts {
  readonly client: KafkaClient;
  readonly target: Target;
  readonly brokers: readonly string[];
  /** Told when the topic may have to be made. */
  readonly onTopicRefused: () => void;
}

/** One call of `send`: all requests that it takes, in order, until its deadline. */
export class BatchSend {
  readonly #parts: BatchSendParts;
  readonly #records: readonly StoredRecord[];
  readonly #signal: AbortSignal;
  readonly #until: number;
  #messages: HashedMessage[];

  constructor(parts: BatchSendParts, records: readonly StoredRecord[], { deadlineMs, signal }: SendOptions) {
    this.#parts = parts;
    this.#records = records;
    this.#signal = signal;
    this.#until = performance.now() + deadlineMs;
    this.#messages = this.#build();
  }

  async run(after: Seq): Promise<Outcome> {
    const { target } = this.#parts;
    const { doneCount, rejects, error, maxBytes } = await sendInOrder({
      sizes: this.#messages.map(messageBytes),
      maxBytes: target.requestLimit.bytes,
      attempt: (from, to) => this.#attempt(from, to),
    });
    target.requestLimit.learn(maxBytes);
    const rejected = rejects.map(({ index, reason, detail }) => ({ seq: this.#seqAt(index, after), reason, detail }));
    return { upTo: this.#seqAt(doneCount - 1, after), rejected, error };
  }

  async #attempt(from: number, to: number): Promise<Verdict> {
    const { client, target, brokers } = this.#parts;
    const deadlineMs = this.#until - performance.now();
    if (deadlineMs <= 0) return { kind: 'failure', error: outOfTime() };
    try {
      const messages = to - from === this.#messages.length ? this.#messages : this.#messages.slice(from, to);
      await client.produce(target.topic, messages, { deadlineMs, signal: this.#signal });
      target.refusedCount = 0;
      return { kind: 'delivered' };
    } catch (thrown) {
      const verdict = this.#verdict(client.judge(thrown, { topic: target.topic, brokers }));
      return verdict ?? this.#attempt(from, to);
    }
  }

  /** Undefined: the same messages again, which have changed. */
  #verdict(judgement: Judgement): Verdict | undefined {
    switch (judgement.kind) {
      case 'too_large':
      case 'poison':
        return judgement;
      case 'timestamp':
        return this.#useSentTime() ? undefined : { kind: 'failure', error: badTimestamp() };
      case 'topic':
        return { kind: 'failure', error: this.#topicError(judgement.error) };
      case 'failure':
        if (judgement.connection === 'dead') this.#parts.client.destroy();
        if (judgement.connection === 'lost') this.#parts.client.retire();
        return judgement;
    }
  }

  /** False when it was used already. */
  #useSentTime(): boolean {
    const { target } = this.#parts;
    if (performance.now() < target.sentTimeUntil) return false;
    target.sentTimeUntil = performance.now() + SENT_TIME_MS;
    this.#messages = this.#build();
    return true;
  }

  /** A refusal that may be about another topic is judged by fresh clients; what several of them meet is not. */
  #topicError(error: SluiceError): SluiceError {
    const { client, target, onTopicRefused } = this.#parts;
    onTopicRefused();
    target.refusedCount += 1;
    if (client.mayMeanAnother(target.topic)) client.retire();
    if (target.refusedCount >= TOPIC_PATIENCE_COUNT) return error;
    const { message, code, hint } = error;
    return new SluiceError(message, { code, retryable: true, ...(hint === undefined ? {} : { hint }) });
  }

  #build(): HashedMessage[] {
    const { target } = this.#parts;
    const observed = performance.now() >= target.sentTimeUntil;
    const sentAt = Date.now();
    return this.#records.map((record) => target.builder.build(record, { sentAt, observed }));
  }

  #seqAt(index: number, after: Seq): Seq {
    return this.#records[index]?.seq ?? after;
  }
}

function outOfTime(): SluiceError {
  return new SluiceError('Kafka took a part of the batch in the time that a whole one has', {
    code: TIMED_OUT,
    retryable: true,
  });
}

function badTimestamp(): SluiceError {
  return new SluiceError("Kafka refuses the present time as a record's timestamp", {
    code: 'invalid_timestamp',
    hint: 'compare the clocks of this gateway and of the brokers',
  });
}
