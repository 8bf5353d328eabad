import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const Encoder = require('kafkajs/src/protocol/encoder') as new () => Writer;
const Decoder = require('kafkajs/src/protocol/decoder') as new (data: Buffer) => Reader;
const { createErrorFromCode } = require('kafkajs/src/protocol/error') as {
  createErrorFromCode(code: number): Error;
};

interface Writer {
  writeArray(values: readonly string[]): Writer;
  writeBoolean(value: boolean): Writer;
}

interface Reader {
  readInt16(): number;
  readInt32(): number;
  readString(): string | null;
  readBoolean(): boolean;
  readArray<T>(read: (decoder: Reader) => T): T[];
}

export interface TopicView {
  readonly name: string;
  /** Why nothing is known of it. */
  readonly error: Error | null;
  readonly partitionCount: number;
  readonly leaderlessCount: number;
  readonly operations: Operations;
}

/** What this user may do. */
export interface Operations {
  readonly canRead: boolean;
  readonly canWrite: boolean;
  readonly canDescribeConfigs: boolean;
}

export interface ClusterView {
  /** `host:port`, as the brokers want to be called. */
  readonly brokers: readonly string[];
  readonly topics: readonly TopicView[];
}

const API_KEY = 3;
/** The first that tells what is allowed (KIP-430); brokers know it since Kafka 2.3. */
const VERSION = 8;
/** org.apache.kafka.common.acl.AclOperation */
const READ = 3;
const WRITE = 4;
const DESCRIBE_CONFIGS = 10;
const NO_LEADER = -1;

/** The Metadata request of Kafka's protocol, version 8, which kafkajs does not know. */
export function metadataRequest(topics: readonly string[]): object {
  return {
    request: {
      apiKey: API_KEY,
      apiVersion: VERSION,
      apiName: 'Metadata',
      encode: async () =>
        // No topic is made, nothing is said about the cluster, what is allowed is said for each topic.
        new Encoder().writeArray(topics).writeBoolean(false).writeBoolean(false).writeBoolean(true),
    },
    response: {
      decode: async (data: Buffer) => clusterView(new Decoder(data)),
      parse: async (view: ClusterView) => view,
    },
  };
}

function clusterView(data: Reader): ClusterView {
  data.readInt32(); // throttle_time_ms
  const brokers = data.readArray(broker);
  data.readString(); // cluster_id
  data.readInt32(); // controller_id
  return { brokers, topics: data.readArray(topicView) };
}

function broker(data: Reader): string {
  data.readInt32(); // node_id
  const host = data.readString() ?? '';
  const port = data.readInt32();
  data.readString(); // rack
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function topicView(data: Reader): TopicView {
  const code = data.readInt16();
  const name = data.readString() ?? '';
  data.readBoolean(); // is_internal
  const leaders = data.readArray(leaderOf);
  const allowed = data.readInt32();
  return {
    name,
    error: code === 0 ? null : createErrorFromCode(code),
    partitionCount: leaders.length,
    leaderlessCount: leaders.filter((leader) => leader === NO_LEADER).length,
    operations: {
      canRead: has(allowed, READ),
      canWrite: has(allowed, WRITE),
      canDescribeConfigs: has(allowed, DESCRIBE_CONFIGS),
    },
  };
}

function leaderOf(data: Reader): number {
  data.readInt16(); // error_code
  data.readInt32(); // partition_index
  const leader = data.readInt32();
  data.readInt32(); // leader_epoch
  for (let list = 0; list < 3; list += 1) data.readArray((inner) => inner.readInt32()); // replicas, isr, offline
  return leader;
}

function has(allowed: number, operation: number): boolean {
  return (allowed & (1 << operation)) !== 0;
}
