import { SluiceError } from '../../core/errors.ts';
import type { Seq, StoredRecord } from '../../core/record.ts';
import type { Outcome, SendOptions } from '../../core/upstream.ts';
import type { Logger } from '../../platform/logger.ts';
import { type Bounds, TIMED_OUT } from '../bounded.ts';
import { sendInOrder, type Verdict } from './in-order.ts';
import type { Judgement } from './judgement.ts';
import type { KafkaClient, TopicMessages } from './kafka-client.ts';
import { messageBytes } from './message-builder.ts';
import type { HashedMessage } from './partitioner.ts';
import type { RequestLimit } from './request-limit.ts';
import type { Target } from './target.ts';

/** So many refusals of a topic in a row may be one that is just being made known; more need people. */
const TOPIC_PATIENCE_COUNT = 3;
const PRESENT_TIME_REFUSED =
  'Kafka refuses the present time: records go without a time for ten minutes; compare the clocks of this gateway and of the brokers';

export interface BatchSendParts {
  readonly client: KafkaClient;
  readonly brokers: readonly string[];
  readonly logger: Logger;
  readonly targetOf: (record: StoredRecord) => Target;
  readonly requestLimit: RequestLimit;
  /** The transactional id and group that are used; undefined when none are. */
  readonly name?: string;
  /** Whether a reject must be settled before anything behind it is sent. */
  readonly endsAtReject?: boolean;
  /** Told when a topic may have to be made. */
  readonly onTopicRefused: () => void;
  /** Sends records up to that seq, all that are in one request. Rejects with what the client threw. */
  readonly deliver: (parts: readonly TopicMessages[], upTo: Seq, bounds: Bounds) => Promise<void>;
}

/** One call of `send`: all requests that it takes, in order, until its deadline. */
export class BatchSend {
  readonly #parts: BatchSendParts;
  readonly #records: readonly StoredRecord[];
  /** Of each record. */
  readonly #targets: readonly Target[];
  /** Each once. */
  readonly #allTargets: readonly Target[];
  readonly #signal: AbortSignal;
  readonly #until: number;
  #messages: HashedMessage[];

  constructor(parts: BatchSendParts, records: readonly StoredRecord[], { deadlineMs, signal }: SendOptions) {
    this.#parts = parts;
    this.#records = records;
    this.#targets = records.map(parts.targetOf);
    this.#allTargets = [...new Set(this.#targets)];
    this.#signal = signal;
    this.#until = performance.now() + deadlineMs;
    this.#messages = this.#build();
  }

  async run(after: Seq): Promise<Outcome> {
    const { requestLimit, endsAtReject = false } = this.#parts;
    const { doneCount, rejects, error, maxBytes } = await sendInOrder({
      sizes: this.#messages.map(messageBytes),
      maxBytes: requestLimit.bytes,
      endsAtReject,
      attempt: (from, to) => this.#attempt(from, to),
    });
    requestLimit.learn(maxBytes);
    const rejected = rejects.map(({ index, reason, detail }) => ({ seq: this.#seqAt(index, after), reason, detail }));
    return { upTo: this.#seqAt(doneCount - 1, after), rejected, error };
  }

  async #attempt(from: number, to: number): Promise<Verdict> {
    const { client, brokers, name, deliver } = this.#parts;
    const deadlineMs = this.#until - performance.now();
    if (deadlineMs <= 0) return { kind: 'failure', error: outOfTime() };
    const parts = this.#topicParts(from, to);
    try {
      await deliver(parts, this.#seqAt(to - 1, 0), { deadlineMs, signal: this.#signal });
      for (const target of this.#allTargets) target.refusedCount = 0;
      return { kind: 'delivered' };
    } catch (thrown) {
      const topic = parts.map((part) => part.topic).join(', ');
      const verdict = this.#verdict(client.judge(thrown, { topic, brokers, ...(name === undefined ? {} : { name }) }));
      return verdict ?? this.#attempt(from, to);
    }
  }

  #topicParts(from: number, to: number): TopicMessages[] {
    const [only, ...others] = this.#allTargets;
    const messages = to - from === this.#messages.length ? this.#messages : this.#messages.slice(from, to);
    if (only !== undefined && others.length === 0) return [{ topic: only.topic, messages }];
    const byTarget = Map.groupBy(messages.keys(), (index) => this.#targets[from + index]?.topic ?? '');
    return [...byTarget].map(([topic, indexes]) => ({
      topic,
      messages: indexes.flatMap((index) => messages[index] ?? []),
    }));
  }

  /** Undefined: the same messages again, which have changed. */
  #verdict(judgement: Judgement): Verdict | undefined {
    switch (judgement.kind) {
      case 'too_large':
      case 'poison':
        return judgement;
      case 'timestamp':
        return this.#useOtherTime() ? undefined : { kind: 'failure', error: badTimestamp() };
      case 'topic':
        return { kind: 'failure', error: this.#topicError(judgement.error) };
      case 'failure':
        if (judgement.connection === 'dead') this.#parts.client.destroy();
        if (judgement.connection === 'lost') this.#parts.client.retire();
        return judgement;
    }
  }

  /** False when there is none left. Of several topics it is not known which one refused: observed times are given up first. */
  #useOtherTime(): boolean {
    const now = performance.now();
    const byKind = Map.groupBy(this.#allTargets, ({ time }) => time.kindAt(now));
    const observed = byKind.get('observed') ?? [];
    const sent = observed.length > 0 ? [] : (byKind.get('sent') ?? []);
    for (const { time } of [...observed, ...sent]) time.fallBack(now);
    if (sent.length > 0) this.#parts.logger.warn({ topics: sent.map(({ topic }) => topic) }, PRESENT_TIME_REFUSED);
    this.#messages = this.#build();
    return observed.length + sent.length > 0;
  }

  /** A refusal that may be about another topic is judged by fresh clients; what several of them meet is not. */
  #topicError(error: SluiceError): SluiceError {
    const { client, onTopicRefused } = this.#parts;
    onTopicRefused();
    for (const target of this.#allTargets) target.refusedCount += 1;
    if (this.#allTargets.some(({ topic }) => client.mayMeanAnother(topic))) client.retire();
    if (this.#allTargets.some(({ refusedCount }) => refusedCount >= TOPIC_PATIENCE_COUNT)) return error;
    const { message, code, hint } = error;
    return new SluiceError(message, { code, retryable: true, ...(hint === undefined ? {} : { hint }) });
  }

  #build(): HashedMessage[] {
    const now = performance.now();
    const sentAt = Date.now();
    return this.#records.map((record, index) => {
      const target = this.#targets[index] ?? this.#parts.targetOf(record);
      return target.builder.build(record, { sentAt, kind: target.time.kindAt(now) });
    });
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
  return new SluiceError('Kafka refuses the present time, and records without a time', {
    code: 'invalid_timestamp',
    hint: 'compare the clocks of this gateway and of the brokers',
  });
}
