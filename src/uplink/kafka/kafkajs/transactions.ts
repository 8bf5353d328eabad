import { createRequire } from 'node:module';
import type { KafkaConfig, Transaction as OpenTransaction, Producer } from 'kafkajs';
import { BoundedSteps, type Bounds, bounded } from '../../bounded.ts';
import { checkOnce } from '../complete-answer.ts';
import {
  type CommittedOffset,
  type OffsetPlace,
  TRANSACTION_TIMEOUT_MS,
  type Transaction,
  type TransactionalProducer,
} from '../kafka-client.ts';
import { type CoordinatorOf, type InnerCluster, innerCluster, innerLogger } from './inner-cluster.ts';
import { KeptCoordinators } from './kept-coordinators.ts';
import { offsetFetchRequest } from './offset-fetch-request.ts';
import { createPartitioner } from './partitioner.ts';
import { patientCoordinator } from './patient-coordinator.ts';

/**
 * What kafkajs sends again goes to the partitions' leaders of then, but not to a broker that has confirmed its part already:
 * records of a partition that moved there would be left out, and the transaction be committed without them.
 */
const NO_RETRY = { retries: 0 };
const METADATA_MAX_AGE_MS = 60_000;

const require = createRequire(import.meta.url);
const createProducer = require('kafkajs/src/producer') as (options: object) => Producer;

export interface TransactionsOptions {
  readonly config: KafkaConfig;
  /** Resolves when kafkajs may be asked for the topic. */
  readonly find: (topic: string, bounds: Bounds) => Promise<void>;
  /** How messages are sent. */
  readonly request: Pick<Parameters<OpenTransaction['sendBatch']>[0] & object, 'acks' | 'timeout' | 'compression'>;
}

/** All transactional ids of one client, over connections that they share. */
export class KafkajsTransactions {
  readonly #options: TransactionsOptions;
  readonly #cluster: InnerCluster;
  readonly #coordinators: KeptCoordinators;

  constructor(options: TransactionsOptions) {
    this.#options = options;
    this.#cluster = innerCluster(options.config, METADATA_MAX_AGE_MS);
    this.#coordinators = new KeptCoordinators(this.#cluster.findGroupCoordinator);
    const findGroupCoordinator = async (what: CoordinatorOf) => patientCoordinator(this.#coordinators, what);
    Object.assign(this.#cluster, { findGroupCoordinator });
  }

  async committed(
    place: OffsetPlace,
    options: { readonly settled: boolean },
    bounds: Bounds,
  ): Promise<CommittedOffset | undefined> {
    // Asked before a name is used, and when anything failed: a coordinator may have moved.
    this.#coordinators.forget();
    const ask = async (): Promise<CommittedOffset | undefined> => {
      const coordinator = await this.#coordinators.find({ groupId: place.group });
      return await coordinator.connectionPool.send<CommittedOffset | undefined>(offsetFetchRequest(place, options));
    };
    return await bounded('asking for the position', ask(), bounds);
  }

  producer(transactionalId: string): TransactionalProducer {
    const producer = createProducer({
      cluster: this.#cluster,
      logger: innerLogger(this.#options.config),
      createPartitioner,
      retry: NO_RETRY,
      transactionalId,
      transactionTimeout: TRANSACTION_TIMEOUT_MS,
    });
    return new KafkajsTransactionalProducer(producer, this.#options);
  }

  close(): void {
    this.#cluster.disconnect().catch(() => undefined);
  }
}

class KafkajsTransactionalProducer implements TransactionalProducer {
  readonly #producer: Producer;
  readonly #options: TransactionsOptions;
  /** Begun, and empty. */
  #begun: OpenTransaction | undefined;

  constructor(producer: Producer, options: TransactionsOptions) {
    this.#producer = producer;
    this.#options = options;
  }

  async takeOver(bounds: Bounds): Promise<void> {
    const begin = async (): Promise<void> => {
      await this.#producer.connect();
      this.#begun = await this.#producer.transaction();
    };
    await bounded('taking over the transactional id', begin(), bounds);
  }

  async transact({ parts, place, position }: Transaction, bounds: Bounds): Promise<void> {
    const { find, request } = this.#options;
    const within = new BoundedSteps(bounds);
    for (const { topic } of parts) await find(topic, within.left);
    const transaction = this.#begun ?? (await within.step('beginning a transaction', this.#producer.transaction()));
    this.#begun = undefined;
    const topicMessages = parts.map(({ topic, messages }) => ({ topic, messages: [...messages] }));
    const partitions = [{ partition: 0, offset: String(position.offset), metadata: position.metadata }];
    const topics = [{ topic: place.topic, partitions }];
    const [answers] = await Promise.all([
      within.step('the request', transaction.sendBatch({ ...request, topicMessages })),
      within.step('sending the position', transaction.sendOffsets({ consumerGroupId: place.group, topics })),
    ]);
    checkOnce(answers.map(({ topicName, partition }) => ({ topic: topicName, partition })));
    await within.step('committing', transaction.commit());
  }

  /** Its connections are those of all. */
  drop(): void {
    this.#begun = undefined;
  }
}
