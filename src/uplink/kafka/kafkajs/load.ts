/** The one place that loads kafkajs 2.2.4, mended where it is known to be slow, noisy or fragile. Nothing else may load it before. */

import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { AuthenticationProviderArgs, Authenticator, SASLMechanism, SASLOptions } from 'kafkajs';
import { messageOf } from '../../../core/errors.ts';
import { replaceModule } from '../../../platform/replace-module.ts';
import { checkComplete, type TopicPartition } from '../complete-answer.ts';
import { type EncodedRecord, encodeRecord, type PlainRecord } from './record-encoder.ts';

interface Grouping {
  readonly topic: string;
  readonly partitionMetadata: readonly unknown[];
  readonly messages: readonly unknown[];
  readonly partitioner: (args: Omit<Grouping, 'messages' | 'partitioner'> & { readonly message: unknown }) => number;
}

const require = createRequire(import.meta.url);
const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

const ZSTD_CODEC = {
  compress: ({ buffer }: { readonly buffer: Buffer }): Promise<Buffer> => compress(buffer),
  decompress: (buffer: Buffer): Promise<Buffer> => decompress(buffer),
};

replaceModule(
  require,
  'kafkajs/src/protocol/recordBatch/record/v0',
  (encode: (record: PlainRecord) => EncodedRecord) => {
    return (record: PlainRecord) => encodeRecord(record) ?? encode(record);
  },
);
replaceModule(require, 'kafkajs/src/producer/groupMessagesPerPartition', () => groupByPartition);
replaceModule(require, 'kafkajs/src/network/connection', guarded);
replaceModule(require, 'kafkajs/src/broker', complete);
silenceNegativeTimeouts();

export const kafkajs = require('kafkajs') as typeof import('kafkajs');
kafkajs.CompressionCodecs[kafkajs.CompressionTypes.ZSTD] = () => ZSTD_CODEC;

type AuthenticatorOf = (options: SASLOptions) => (parts: AuthenticationProviderArgs) => Authenticator;

/** What kafkajs chooses from when it is given a mechanism with its secrets. */
export const authenticators: Readonly<Record<Exclude<SASLMechanism, 'aws'>, AuthenticatorOf>> = {
  plain: require('kafkajs/src/broker/saslAuthenticator/plain') as AuthenticatorOf,
  'scram-sha-256': require('kafkajs/src/broker/saslAuthenticator/scram256') as AuthenticatorOf,
  'scram-sha-512': require('kafkajs/src/broker/saslAuthenticator/scram512') as AuthenticatorOf,
  oauthbearer: require('kafkajs/src/broker/saslAuthenticator/oauthBearer') as AuthenticatorOf,
};

interface ConnectionLike {
  readonly socket: Socket;
  processData(data: Buffer): void;
}

/** A frame that Kafka cannot have sent ends its connection; in the original it ends the process. */
function guarded(Original: new (...args: never[]) => ConnectionLike): typeof Original {
  return class extends Original {
    override processData(data: Buffer): void {
      try {
        super.processData(data);
      } catch (error) {
        this.socket.destroy(new Error(`the answer is not one of Kafka's (${messageOf(error)})`));
      }
    }
  };
}

interface Produced<Partition> {
  readonly partitions: readonly Partition[];
}

interface BrokerLike {
  produce(request: { readonly topicData: readonly (Produced<TopicPartition> & { topic: string })[] }): Promise<{
    readonly topics: readonly (Produced<TopicPartition> & { topicName: string })[];
  }>;
}

/** Asked before anything is made of the answer, in transactions too. */
function complete(Original: new (...args: never[]) => BrokerLike): typeof Original {
  return class extends Original {
    override async produce(request: Parameters<BrokerLike['produce']>[0]): ReturnType<BrokerLike['produce']> {
      const answer = await super.produce(request);
      const sent = request.topicData.flatMap(({ topic, partitions }) => partitions.map((part) => ({ ...part, topic })));
      const answered = answer.topics.flatMap(({ topicName: topic, partitions }) =>
        partitions.map((part) => ({ ...part, topic })),
      );
      checkComplete(sent, answered);
      return answer;
    }
  };
}

/** Keeps the order within each partition. The original copies the whole list for every message. */
function groupByPartition({ topic, partitionMetadata, messages, partitioner }: Grouping): Record<number, unknown[]> {
  const groups: Record<number, unknown[]> = {};
  if (partitionMetadata.length === 0) return groups;
  for (const message of messages) {
    const partition = partitioner({ topic, partitionMetadata, message });
    const group = groups[partition];
    if (group === undefined) groups[partition] = [message];
    else group.push(message);
  }
  return groups;
}

/** kafkajs sets a timer to a time long past whenever it is not throttled; it means nothing, and Node warns of it. */
function silenceNegativeTimeouts(): void {
  const emitWarning = process.emitWarning.bind(process) as (...args: unknown[]) => void;
  process.emitWarning = (...args: unknown[]): void => {
    const isOurs = args[1] === 'TimeoutNegativeWarning' && new Error().stack?.includes('/kafkajs/') === true;
    if (!isOurs) emitWarning(...args);
  };
}
