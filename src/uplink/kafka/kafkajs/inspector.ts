import { createRequire } from 'node:module';
import type { KafkaConfig } from 'kafkajs';
import { type Bounds, bounded } from '../../bounded.ts';
import type { NewTopicOptions } from '../../options.ts';
import type { KafkaClientOptions } from '../kafka-client.ts';
import { kafkajsConnection } from './connection.ts';
import { kafkajs } from './load.ts';
import { type ClusterView, metadataRequest } from './metadata-request.ts';
import type { Sockets } from './sockets.ts';

interface InnerBroker {
  readonly connectionPool: { send<T>(request: object): Promise<T> };
  createTopics(request: object): Promise<unknown>;
  describeConfigs(request: object): Promise<{ resources: { configEntries: ConfigEntry[] }[] }>;
}

interface ConfigEntry {
  readonly configName: string;
  readonly configValue: string | null;
}

/** What admin and producer of kafkajs are made of. */
interface InnerCluster {
  readonly brokerPool: { readonly seedBroker: InnerBroker };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findControllerBroker(): Promise<InnerBroker>;
}

const require = createRequire(import.meta.url);
const Cluster = require('kafkajs/src/cluster') as new (options: object) => InnerCluster;
const { createLogger } = require('kafkajs/src/loggers') as {
  createLogger(options: { level: KafkaConfig['logLevel']; logCreator: KafkaConfig['logCreator'] }): unknown;
};

/** Asks Kafka questions that change nothing. Whatever it rejects with is for `judgeKafkajs`. */
export class Inspector {
  readonly #sockets: Sockets;
  readonly #cluster: InnerCluster;

  /** @throws SluiceError when a file of `tls` cannot be used */
  constructor(options: KafkaClientOptions) {
    const { config, sockets } = kafkajsConnection(options);
    const { logLevel: level, logCreator, ...rest } = config;
    this.#sockets = sockets;
    this.#cluster = new Cluster({ ...rest, logger: createLogger({ level, logCreator }), metadataMaxAge: 60_000 });
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

  close(): void {
    this.#sockets.destroy();
    this.#cluster.disconnect().catch(() => undefined);
  }

  get #seed(): InnerBroker {
    return this.#cluster.brokerPool.seedBroker;
  }
}
