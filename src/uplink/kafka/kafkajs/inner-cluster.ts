/** What admin and producers of kafkajs are made of, for requests that neither offers. */

import { createRequire } from 'node:module';
import type { KafkaConfig } from 'kafkajs';

export interface InnerBroker {
  readonly connectionPool: { send<T>(request: object): Promise<T> };
  createTopics(request: object): Promise<unknown>;
  describeConfigs(request: object): Promise<{ resources: { configEntries: ConfigEntry[] }[] }>;
  addOffsetsToTxn(request: object): Promise<unknown>;
}

export interface ConfigEntry {
  readonly configName: string;
  readonly configValue: string | null;
}

export interface InnerCluster {
  readonly brokerPool: { readonly seedBroker: InnerBroker };
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  refreshMetadata(): Promise<void>;
  findControllerBroker(): Promise<InnerBroker>;
  findGroupCoordinator(what: { readonly groupId: string; readonly coordinatorType?: number }): Promise<InnerBroker>;
}

/** Of FindCoordinator. */
export const TRANSACTION_COORDINATOR = 1;

const require = createRequire(import.meta.url);
const Cluster = require('kafkajs/src/cluster') as new (options: object) => InnerCluster;
const { createLogger } = require('kafkajs/src/loggers') as {
  createLogger(options: { level: KafkaConfig['logLevel']; logCreator: KafkaConfig['logCreator'] }): unknown;
};

export function innerCluster(config: KafkaConfig, metadataMaxAge: number): InnerCluster {
  return new Cluster({
    ...config,
    logger: innerLogger(config),
    metadataMaxAge,
    allowAutoTopicCreation: false,
    enforceRequestTimeout: true,
  });
}

export function innerLogger({ logLevel: level, logCreator }: Pick<KafkaConfig, 'logLevel' | 'logCreator'>): unknown {
  return createLogger({ level, logCreator });
}
