/** What admin and producers of kafkajs are made of, for requests that neither offers. */

import { createRequire } from 'node:module';
import type { KafkaConfig } from 'kafkajs';

export interface InnerBroker {
  readonly connectionPool: { send<T>(request: object): Promise<T> };
  createTopics(request: object): Promise<unknown>;
  describeConfigs(request: object): Promise<{ resources: { configEntries: ConfigEntry[] }[] }>;
  initProducerId(request: object): Promise<unknown>;
  addPartitionsToTxn(request: object): Promise<unknown>;
  addOffsetsToTxn(request: object): Promise<unknown>;
  txnOffsetCommit(request: object): Promise<unknown>;
  endTxn(request: object): Promise<unknown>;
  findGroupCoordinator(what: CoordinatorOf): Promise<{ readonly coordinator: { readonly nodeId: number } }>;
}

export interface ConfigEntry {
  readonly configName: string;
  readonly configValue: string | null;
}

export interface InnerCluster {
  readonly brokerPool: { readonly seedBroker: InnerBroker; findConnectedBroker(): Promise<InnerBroker> };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findControllerBroker(): Promise<InnerBroker>;
  refreshMetadataIfNecessary(): Promise<void>;
  findBroker(what: { readonly nodeId: number }): Promise<InnerBroker>;
  findGroupCoordinator(what: CoordinatorOf): Promise<InnerBroker>;
}

export interface CoordinatorOf {
  /** Or transactional id. */
  readonly groupId: string;
  readonly coordinatorType?: number;
}

/** Of FindCoordinator. */
const GROUP_COORDINATOR = 0;
export const TRANSACTION_COORDINATOR = 1;

const require = createRequire(import.meta.url);
const Cluster = require('kafkajs/src/cluster') as new (options: object) => InnerCluster;
const { createLogger } = require('kafkajs/src/loggers') as {
  createLogger(options: { level: KafkaConfig['logLevel']; logCreator: KafkaConfig['logCreator'] }): unknown;
};

export function innerCluster(config: KafkaConfig, metadataMaxAge: number): InnerCluster {
  const cluster = new Cluster({
    ...config,
    logger: innerLogger(config),
    metadataMaxAge,
    allowAutoTopicCreation: false,
    enforceRequestTimeout: true,
  });
  cluster.findGroupCoordinator = (what) => findCoordinator(cluster, what);
  return cluster;
}

/** The original does not say why it found none. */
async function findCoordinator(
  cluster: InnerCluster,
  { groupId, coordinatorType = GROUP_COORDINATOR }: CoordinatorOf,
): Promise<InnerBroker> {
  await cluster.connect();
  await cluster.refreshMetadataIfNecessary();
  const asked = await cluster.brokerPool.findConnectedBroker();
  const { coordinator } = await asked.findGroupCoordinator({ groupId, coordinatorType });
  return await cluster.findBroker({ nodeId: coordinator.nodeId });
}

export function innerLogger({ logLevel: level, logCreator }: Pick<KafkaConfig, 'logLevel' | 'logCreator'>): unknown {
  return createLogger({ level, logCreator });
}
