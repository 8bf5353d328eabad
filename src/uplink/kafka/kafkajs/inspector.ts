import { type Bounds, bounded } from '../../bounded.ts';
import type { NewTopicOptions } from '../../options.ts';
import type { KafkaClientOptions } from '../kafka-client.ts';
import { untilSettled } from '../until-settled.ts';
import { kafkajsConnection } from './connection.ts';
import { judgeKafkajs } from './errors.ts';
import { type InnerBroker, type InnerCluster, innerCluster, TRANSACTION_COORDINATOR } from './inner-cluster.ts';
import { kafkajs } from './load.ts';
import { type ClusterView, metadataRequest } from './metadata-request.ts';
import type { Sockets } from './sockets.ts';

const METADATA_MAX_AGE_MS = 60_000;
const NO_PRODUCER = -1;

/** Asks Kafka questions that change nothing. Whatever it rejects with is for `judgeKafkajs`. */
export class Inspector {
  readonly #sockets: Sockets;
  readonly #cluster: InnerCluster;

  /** @throws SluiceError when a file of `tls` cannot be used */
  constructor(options: KafkaClientOptions) {
    const { config, sockets } = kafkajsConnection(options);
    this.#sockets = sockets;
    this.#cluster = innerCluster(config, METADATA_MAX_AGE_MS);
  }

  async connect(bounds: Bounds): Promise<void> {
    await bounded('connecting', this.#cluster.connect(), bounds);
  }

  /** The cluster as this user sees it: its brokers, the topics, and what the user may do with each. */
  async look(topics: readonly string[], bounds: Bounds): Promise<ClusterView> {
    const answer = this.#seed.connectionPool.send<ClusterView>(metadataRequest(topics));
    return await bounded('asking for the topics', answer, bounds);
  }

  /** Settings of a topic. Needs the grant DescribeConfigs. */
  async settings(topic: string, bounds: Bounds): Promise<ReadonlyMap<string, string>> {
    const resources = [{ type: kafkajs.ConfigResourceTypes.TOPIC, name: topic, configNames: [] }];
    const answer = await bounded('asking for settings', this.#seed.describeConfigs({ resources }), bounds);
    const entries = answer.resources[0]?.configEntries ?? [];
    return new Map(entries.map(({ configName, configValue }) => [configName, configValue ?? '']));
  }

  /** Has the making of a topic judged; makes none. */
  async tryToCreate(topic: string, { partitions, replicationFactor }: NewTopicOptions, bounds: Bounds): Promise<void> {
    const topics = [{ topic, numPartitions: partitions, replicationFactor }];
    const attempt = async (): Promise<void> => {
      await this.#cluster.refreshMetadata();
      const controller = await this.#cluster.findControllerBroker();
      await controller.createTopics({ topics, validateOnly: true, timeout: bounds.deadlineMs });
    };
    await bounded('asking to make a topic', attempt(), bounds);
  }

  /** Has a transaction judged that moves a position; begins none, and disturbs nobody who uses the id. */
  async tryTransaction(name: string, bounds: Bounds): Promise<void> {
    const attempt = async (): Promise<void> => {
      const coordinatorType = TRANSACTION_COORDINATOR;
      const coordinator = await this.#cluster.findGroupCoordinator({ groupId: name, coordinatorType });
      const foreign = { transactionalId: name, producerId: NO_PRODUCER, producerEpoch: 0, groupId: name };
      await coordinator.addOffsetsToTxn(foreign).catch((error: unknown) => {
        // Asked only when it would be allowed.
        if (!isAbout(error, 'INVALID_PRODUCER_ID_MAPPING')) throw error;
      });
    };
    await untilSettled({
      ...bounds,
      ask: (left) => bounded('asking for a transaction', attempt(), left),
      judge: (thrown) => judgeKafkajs(thrown, { topic: '', brokers: [], name }),
    });
  }

  close(): void {
    this.#sockets.destroy();
    this.#cluster.disconnect().catch(() => undefined);
  }

  get #seed(): InnerBroker {
    return this.#cluster.brokerPool.seedBroker;
  }
}

function isAbout(error: unknown, type: string): boolean {
  return error instanceof Error && 'type' in error && error.type === type;
}
