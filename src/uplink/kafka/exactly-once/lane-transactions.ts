import { SluiceError } from '../../../core/errors.ts';
import type { Seq } from '../../../core/record.ts';
import type { Bounds } from '../../bounded.ts';
import {
  type KafkaClient,
  type OffsetPlace,
  type TopicMessages,
  TRANSACTION_TIMEOUT_MS,
  type TransactionalProducer,
} from '../kafka-client.ts';
import { untilSettled } from '../until-settled.ts';
import { type Claim, claimOf, offsetOf } from './claim.ts';
import { LanePosition, type LanePositionOptions } from './lane-position.ts';

export interface LaneTransactionsOptions extends LanePositionOptions {
  /** Where the lane's position stands. */
  readonly topic: string;
  readonly brokers: readonly string[];
}

/**
 * The transactions of one lane. Each takes a batch and the lane's position together. One that does not end well is in
 * doubt, whatever was said of it: before the next one another producer takes over the name, and Kafka is asked for the
 * position.
 */
export class LaneTransactions {
  readonly #options: LaneTransactionsOptions;
  readonly #place: OffsetPlace;
  readonly #position: LanePosition;
  /** Undefined while a transaction is open or in doubt. */
  #producer: { readonly client: KafkaClient; readonly producer: TransactionalProducer } | undefined;

  constructor(options: LaneTransactionsOptions) {
    this.#options = options;
    this.#place = { group: options.name, topic: options.topic };
    this.#position = new LanePosition(options);
  }

  get name(): string {
    return this.#options.name;
  }

  /**
   * Looks whose the name is, without disturbing who has it. Rejects with what the client threw.
   * @throws SluiceError `name_taken`, `name_copied`
   */
  async look(client: KafkaClient, bounds: Bounds): Promise<void> {
    this.#position.check(await this.#claim(client, { settled: false }, bounds));
  }

  /**
   * The last seq that Kafka holds of this lane and epoch, once no doubt is left. Rejects with what the client threw.
   * @throws SluiceError `name_taken`, `name_copied`
   */
  async position(client: KafkaClient, bounds: Bounds): Promise<Seq | undefined> {
    if (this.#producer?.client !== client) await this.#takeOver(client, bounds);
    return this.#position.known;
  }

  /**
   * Resolves when Kafka holds all messages and the position `upTo`, together. Rejects with what the client threw, or
   * like `position`.
   */
  async transact(client: KafkaClient, parts: readonly TopicMessages[], upTo: Seq, bounds: Bounds): Promise<void> {
    const inTime = { ...bounds, deadlineMs: Math.min(bounds.deadlineMs, TRANSACTION_TIMEOUT_MS) };
    await this.position(client, inTime);
    const producer = this.#producer;
    if (producer === undefined) throw inDoubt();
    this.#producer = undefined;
    const position = offsetOf(this.#position.begin(upTo));
    try {
      await producer.producer.transact({ parts, place: this.#place, position }, inTime);
    } catch (thrown) {
      producer.producer.drop();
      throw thrown;
    }
    this.#position.committed(upTo);
    this.#producer = producer;
  }

  /** Nothing more is sent: frees its producer. */
  end(): void {
    this.#producer?.producer.drop();
    this.#producer = undefined;
  }

  /** The order matters: only when the old transaction has ended does the position tell what became of it. */
  async #takeOver(client: KafkaClient, bounds: Bounds): Promise<void> {
    this.end();
    await this.look(client, bounds);
    const producer = client.transactional(this.#options.name);
    try {
      await producer.takeOver(bounds);
      this.#position.settle(await this.#claim(client, { settled: true }, bounds));
    } catch (thrown) {
      producer.drop();
      throw thrown;
    }
    this.#producer = { client, producer };
  }

  async #claim(
    client: KafkaClient,
    options: { readonly settled: boolean },
    bounds: Bounds,
  ): Promise<Claim | undefined> {
    const { topic, brokers, name } = this.#options;
    const committed = await untilSettled({
      ...bounds,
      ask: (left) => client.committed(this.#place, options, left),
      judge: (thrown) => client.judge(thrown, { topic, brokers, name }),
    });
    return committed === undefined ? undefined : claimOf(committed);
  }
}

function inDoubt(): SluiceError {
  return new SluiceError('a transaction of this lane is open', { code: 'in_doubt', retryable: true });
}
