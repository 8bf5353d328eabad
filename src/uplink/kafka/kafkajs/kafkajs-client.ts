import type { Admin, Kafka, KafkaConfig, Producer } from 'kafkajs';
import { type Bounds, bounded, pause } from '../../bounded.ts';
import type { NewTopicOptions } from '../../options.ts';
import { InUse } from '../in-use.ts';
import type { JudgeContext, Judgement } from '../judgement.ts';
import type { KafkaClient, KafkaClientOptions, OffsetPlace, TransactionalProducer } from '../kafka-client.ts';
import type { HashedMessage } from '../partitioner.ts';
import { kafkajsConnection } from './connection.ts';
import { judgeKafkajs } from './errors.ts';
import { kafkajs } from './load.ts';
import { createPartitioner } from './partitioner.ts';
import type { Sockets } from './sockets.ts';
import { KafkajsTransactions } from './transactions.ts';

const ALL_REPLICAS = -1;
const LEADER_POLL_MS = 50;
const NEVER = new AbortController().signal;
const { None, GZIP, ZSTD } = kafkajs.CompressionTypes;
const COMPRESSIONS = { none: None, gzip: GZIP, zstd: ZSTD };

/** One producer of kafkajs from its connection to its end. It is never mended: a new one takes its place. */
export class KafkajsClient implements KafkaClient {
  readonly #options: KafkaClientOptions;
  readonly #sockets: Sockets;
  readonly #kafka: Kafka;
  readonly #producer: Producer;
  readonly #config: KafkaConfig;
  /** Made when it is first used. */
  #transactions: KafkajsTransactions | undefined;
  /** Keeps its connection: where data is paid for, a new one would cost more than the question. */
  readonly #prober: Admin;
  /** Found to exist; kafkajs must hear of no other. */
  readonly #topics = new Set<string>();
  readonly #use = new InUse(() => this.destroy());

  /** @throws SluiceError when a file of `tls` cannot be used */
  constructor(options: KafkaClientOptions) {
    this.#options = options;
    const { config, sockets } = kafkajsConnection(options);
    this.#sockets = sockets;
    this.#config = config;
    this.#kafka = new kafkajs.Kafka(config);
    this.#producer = this.#kafka.producer({
      createPartitioner,
      allowAutoTopicCreation: false,
      retry: { retries: 0 },
    });
    this.#prober = this.#kafka.admin({ retry: { retries: 0 } });
  }

  get isUsable(): boolean {
    return this.#use.isUsable;
  }

  judge(thrown: unknown, context: JudgeContext): Judgement {
    return judgeKafkajs(thrown, context);
  }

  async connect(bounds: Bounds): Promise<void> {
    await bounded('connecting', this.#producer.connect(), bounds);
  }

  async produce(topic: string, messages: HashedMessage[], bounds: Bounds): Promise<void> {
    const send = async (): Promise<void> => {
      await this.#find(topic, bounds);
      await this.#producer.send({ ...this.#request(), topic, messages });
    };
    await this.#use.during(() => bounded('the request', send(), bounds));
  }

  transactional(id: string): TransactionalProducer {
    const producer = this.#transactionsNow().producer(id);
    return {
      takeOver: (bounds) => this.#use.during(() => producer.takeOver(bounds)),
      transact: (transaction, bounds) => this.#use.during(() => producer.transact(transaction, bounds)),
      drop: () => producer.drop(),
    };
  }

  committed(place: OffsetPlace, options: { readonly settled: boolean }, bounds: Bounds) {
    return this.#use.during(() => this.#transactionsNow().committed(place, options, bounds));
  }

  async probe(bounds: Bounds): Promise<void> {
    const prober = this.#prober;
    const ask = async (): Promise<void> => {
      await prober.connect();
      await prober.describeCluster();
    };
    await bounded('asking Kafka', ask(), bounds);
  }

  /** It asks for all topics at once that it was used for, and does not say which one is missing. */
  mayMeanAnother(topic: string): boolean {
    return this.#topics.has(topic);
  }

  async createMissingTopics(topics: readonly string[], how: NewTopicOptions, bounds: Bounds): Promise<void> {
    const create = async (admin: Admin): Promise<void> => {
      const known = new Set(await admin.listTopics());
      const missing = topics.filter((topic) => !known.has(topic));
      if (missing.length > 0) await createTopics(admin, missing, how);
      for (const topic of missing) await untilLed(admin, topic, bounds);
    };
    await this.#administer('creating topics', create, bounds);
  }

  /**
   * The producer asks for the metadata of all its topics at once: one that is missing would fail the requests to
   * every other, for good. So it hears of a topic only when that exists.
   */
  async #find(topic: string, bounds: Bounds): Promise<void> {
    if (this.#topics.has(topic)) return;
    await this.#administer('finding the topic', (admin) => admin.fetchTopicMetadata({ topics: [topic] }), bounds);
    this.#topics.add(topic);
  }

  #request() {
    const { compression, requestTimeout: timeout } = this.#options;
    return { acks: ALL_REPLICAS, timeout, compression: COMPRESSIONS[compression] };
  }

  #transactionsNow(): KafkajsTransactions {
    const find = (topic: string, bounds: Bounds): Promise<void> => this.#find(topic, bounds);
    this.#transactions ??= new KafkajsTransactions({ config: this.#config, find, request: this.#request() });
    return this.#transactions;
  }

  async #administer(what: string, use: (admin: Admin) => Promise<unknown>, bounds: Bounds): Promise<void> {
    const admin = this.#kafka.admin({ retry: { retries: 5, initialRetryTime: 100 } });
    const connectAndUse = async (): Promise<void> => {
      await admin.connect();
      await use(admin);
    };
    try {
      await bounded(what, connectAndUse(), bounds);
    } finally {
      admin.disconnect().catch(() => undefined);
    }
  }

  retire(): void {
    this.#use.retire();
  }

  destroy(): void {
    this.#use.end();
    if (this.#sockets.isClosed) return;
    this.#sockets.destroy();
    this.#transactions?.close();
    this.#producer.disconnect().catch(() => undefined);
  }

  async close(deadlineMs: number): Promise<void> {
    this.#use.end();
    await bounded('closing', this.#producer.disconnect(), { deadlineMs, signal: NEVER }).catch(() => undefined);
    this.#sockets.destroy();
  }
}

async function createTopics(admin: Admin, topics: readonly string[], how: NewTopicOptions): Promise<void> {
  await admin.createTopics({
    // kafkajs fails when the brokers have not told each other yet.
    waitForLeaders: false,
    topics: topics.map((topic) => ({
      topic,
      numPartitions: how.partitions,
      replicationFactor: how.replicationFactor,
    })),
  });
}

/**
 * A new topic is known late, and its leaders are named before they lead. A batch that one of them refuses is sent again
 * to all, so it pays to wait until each answers.
 */
async function untilLed(admin: Admin, topic: string, { deadlineMs, signal }: Bounds): Promise<void> {
  const until = performance.now() + deadlineMs;
  while (performance.now() < until && !signal.aborted) {
    try {
      await admin.fetchTopicOffsets(topic);
      return;
    } catch {
      await pause(LEADER_POLL_MS, signal);
    }
  }
}
