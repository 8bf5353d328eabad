import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { checkOnce } from '../../../../../src/uplink/kafka/complete-answer.ts';

const require = createRequire(import.meta.url);
const createSend = require('kafkajs/src/producer/sendMessages') as (
  parts: object,
) => (request: object) => Promise<Answer[]>;
const createEosManager = require('kafkajs/src/producer/eosManager') as (parts: object) => {
  initProducerId(): Promise<void>;
  beginTransaction(): void;
};

interface Answer {
  readonly topicName: string;
  readonly partition: number;
}

interface Produced {
  readonly topicData: readonly {
    readonly topic: string;
    readonly partitions: readonly { readonly partition: number }[];
  }[];
}

const LOGGER = { debug: () => undefined, error: () => undefined };
const LEADERS: Readonly<Record<string, readonly number[]>> = { t1: [1, 2], t2: [1] };

function broker(nodeId: number) {
  return {
    nodeId,
    initProducerId: async () => ({ producerId: 1, producerEpoch: 0 }),
    addPartitionsToTxn: async () => undefined,
    produce: async ({ topicData }: Produced) => ({
      topics: topicData.map(({ topic, partitions }) => ({
        topicName: topic,
        partitions: partitions.map(({ partition }) => ({ partition, errorCode: 0 })),
      })),
    }),
  };
}

/** While it waits for the second broker, somebody else replaces the first one. */
function cluster({ isReplaced }: { readonly isReplaced: boolean }) {
  let first = broker(1);
  const second = broker(2);
  return {
    retry: { retries: 0 },
    refreshMetadataIfNecessary: async () => undefined,
    addMultipleTargetTopics: async () => undefined,
    isConnected: () => true,
    findGroupCoordinator: async () => second,
    findTopicPartitionMetadata: (topic: string) => LEADERS[topic],
    findLeaderForPartitions: (topic: string, partitions: readonly string[]) =>
      Object.groupBy(partitions.map(Number), (partition) => LEADERS[topic]?.[partition] ?? 0),
    findBroker: async ({ nodeId }: { readonly nodeId: string }) => {
      if (nodeId === '1') return first;
      if (isReplaced) first = broker(1);
      return second;
    },
  };
}

async function answersOf(options: { readonly isReplaced: boolean }): Promise<Answer[]> {
  const parts = { logger: LOGGER, cluster: cluster(options) };
  const eosManager = createEosManager({ ...parts, transactional: true, transactionalId: 'lane' });
  await eosManager.initProducerId();
  eosManager.beginTransaction();
  const partitioner = ({ message }: { readonly message: { readonly partition: number } }) => message.partition;
  const retrier = (attempt: (bail: (error: Error) => never) => Promise<Answer[]>) =>
    attempt((error) => {
      throw error;
    });
  const send = createSend({ ...parts, eosManager, partitioner, retrier });
  const topicMessages = [
    {
      topic: 't1',
      messages: [
        { partition: 0, value: 'a' },
        { partition: 1, value: 'b' },
      ],
    },
    { topic: 't2', messages: [{ partition: 0, value: 'c' }] },
  ];
  return await send({ acks: -1, topicMessages });
}

const check = (answers: readonly Answer[]): void =>
  checkOnce(answers.map(({ topicName, partition }) => ({ topic: topicName, partition })));

describe('a request of a transaction of kafkajs', () => {
  it('is not committed when one broker was taken for two, and got its records twice', async () => {
    const answers = await answersOf({ isReplaced: true });
    expect(answers.filter(({ topicName, partition }) => topicName === 't1' && partition === 0)).toHaveLength(2);
    expect(() => check(answers)).toThrow(/sent to twice/);
  });

  it('is good when each partition answers once', async () => {
    const answers = await answersOf({ isReplaced: false });
    expect(answers).toHaveLength(3);
    expect(() => check(answers)).not.toThrow();
  });
});
