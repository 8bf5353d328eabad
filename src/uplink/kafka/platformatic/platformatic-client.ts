import { Admin, ProduceAcks, Producer } from '@platformatic/kafka';
import { type Bounds, bounded } from '../../bounded.ts';
import type { NewTopicOptions } from '../../options.ts';
import { checkComplete } from '../complete-answer.ts';
import { InUse } from '../in-use.ts';
import type { JudgeContext, Judgement } from '../judgement.ts';
import {
  type KafkaClient,
  type KafkaClientOptions,
  type OffsetPlace,
  TRANSACTION_TIMEOUT_MS,
  type TransactionalProducer,
} from '../kafka-client.ts';
import type { HashedMessage } from '../partitioner.ts';
import { ClientProducer } from './client-producer.ts';
import { Connections } from './connections.ts';
import { judgePlatformatic, unknownTopic } from './errors.ts';
import { toRecord } from './record.ts';
import { securityOptions } from './security.ts';
import { createMissingTopics } from './topics.ts';
import { committedAt, PlatformaticTransactionalProducer } from './transactions.ts';

/** How long the leaders of a topic are believed while nothing fails. */
const METADATA_MAX_AGE_MS = 60_000;
/** Requests on their way to one broker: enough that no lane waits for another one's answer. */
const MAX_IN_FLIGHT = 16;
/**
 * A transaction meets the end of the one before it, which takes some milliseconds more than its answer; and a coordinator
 * that starts. What is repeated has the same sequence numbers, so nothing is doubled. All pauses together leave room in the
 * time of a request: what does not pass must be told as what it is.
 */
function transactionOptions(requestTimeout: number) {
  return {
    idempotent: true,
    timeout: TRANSACTION_TIMEOUT_MS,
    retries: 7,
    retryDelay: (_client: unknown, _what: string, attempt: number) =>
      Math.min(5 * 2 ** attempt, 500, requestTimeout / 20),
  };
}
const NEVER = new AbortController().signal;

/** One producer of @platformatic/kafka from its connection to its end. It is never mended: a new one takes its place. */
export class PlatformaticClient implements KafkaClient {
  readonly #options: KafkaClientOptions;
  readonly #connections = new Connections();
  readonly #producer: Producer;
  /** Topics whose leaders must be asked for anew. */
  readonly #stale = new Set<string>();
  readonly #use = new InUse(() => this.destroy());

  /** @throws SluiceError when a file of `tls` cannot be used */
  constructor(options: KafkaClientOptions) {
    this.#options = options;
    this.#producer = new Producer(libraryOptions(options));
    this.#connections.watch(this.#producer);
  }

  get isUsable(): boolean {
    return this.#use.isUsable;
  }

  judge(thrown: unknown, context: JudgeContext): Judgement {
    return judgePlatformatic(thrown, context, this.#connections.lastError);
  }

  async connect(bounds: Bounds): Promise<void> {
    await bounded('connecting', this.#producer.metadata({ topics: [] }), bounds);
  }

  async produce(topic: string, messages: readonly HashedMessage[], bounds: Bounds): Promise<void> {
    await this.#use.during(() => bounded('the request', this.#send(topic, messages), bounds));
  }

  transactional(id: string): TransactionalProducer {
    const own = { ...transactionOptions(this.#options.requestTimeout), transactionalId: id };
    const producer = new ClientProducer({ ...libraryOptions(this.#options), ...own });
    this.#connections.watch(producer);
    const { compression } = this.#options;
    const inner = new PlatformaticTransactionalProducer({ producer, compression });
    return {
      takeOver: (bounds) => this.#use.during(() => inner.takeOver(bounds)),
      transact: (transaction, bounds) => this.#use.during(() => inner.transact(transaction, bounds)),
      drop: () => inner.drop(),
    };
  }

  committed(place: OffsetPlace, options: { readonly settled: boolean }, bounds: Bounds) {
    const ask = () => bounded('asking for the position', committedAt(this.#producer, place, options), bounds);
    return this.#use.during(ask);
  }

  async probe(bounds: Bounds): Promise<void> {
    await bounded('asking Kafka', this.#producer.metadata({ topics: [], forceUpdate: true }), bounds);
  }

  /** Each topic is asked for alone. */
  mayMeanAnother(): boolean {
    return false;
  }

  async createMissingTopics(topics: readonly string[], how: NewTopicOptions, bounds: Bounds): Promise<void> {
    const admin = new Admin(libraryOptions(this.#options));
    this.#connections.watch(admin);
    try {
      await bounded('creating topics', createMissingTopics(admin, topics, how, bounds), bounds);
    } finally {
      admin.close().catch(() => undefined);
    }
  }

  retire(): void {
    this.#use.retire();
  }

  destroy(): void {
    this.#use.end();
    this.#producer.close(true).catch(() => undefined);
    this.#connections.destroy();
  }

  async close(deadlineMs: number): Promise<void> {
    this.#use.end();
    await bounded('closing', this.#producer.close(), { deadlineMs, signal: NEVER }).catch(() => undefined);
    this.destroy();
  }

  async #send(topic: string, messages: readonly HashedMessage[]): Promise<void> {
    try {
      const partitionCount = await this.#partitionCount(topic);
      const records = messages.map((message) => toRecord(topic, message, partitionCount));
      const { offsets = [] } = await this.#producer.send({
        messages: records,
        acks: ProduceAcks.ALL,
        compression: this.#options.compression,
        // Whether and when something is sent again is the forwarder's to decide.
        repeatOnStaleMetadata: false,
      });
      checkComplete(records, offsets);
    } catch (error) {
      this.#stale.add(topic);
      throw error;
    }
  }

  async #partitionCount(topic: string): Promise<number> {
    const { topics } = await this.#producer.metadata({ topics: [topic], forceUpdate: this.#stale.has(topic) });
    const found = topics.get(topic);
    // Topics of Kafka itself are left out.
    if (found === undefined) throw unknownTopic(topic);
    this.#stale.delete(topic);
    return found.partitionsCount;
  }
}

/** @throws SluiceError when a file of `tls` cannot be used */
function libraryOptions(options: KafkaClientOptions) {
  const { brokers, clientId, connectionTimeout, requestTimeout } = options;
  return {
    ...securityOptions(options),
    bootstrapBrokers: [...brokers],
    clientId,
    connectTimeout: connectionTimeout,
    requestTimeout,
    /** What a broker may take for its answer. */
    timeout: requestTimeout,
    // All patience is the forwarder's.
    retries: 0,
    maxInflights: MAX_IN_FLIGHT,
    metadataMaxAge: METADATA_MAX_AGE_MS,
    autocreateTopics: false,
  };
}
