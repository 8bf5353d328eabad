import { STREAMS, type Stream } from '../../src/core/stream.ts';
import { CloudEvents } from '../../src/uplink/cloud-event.ts';
import type { FileUplinkOptions, KafkaClientName, KafkaUplinkOptions, TopicRoute } from '../../src/uplink/options.ts';
import { MemoryLogger } from './memory-logger.ts';

/** Every library that can speak to Kafka. */
export const KAFKA_CLIENTS: readonly KafkaClientName[] = ['kafkajs', 'platformatic'];
export const GATEWAY = 'greenhouse-pi-a1b2c3';
export const EPOCH = '0123456789abcdef';
export const IDENTITY = {
  gatewayId: GATEWAY,
  instanceId: 'a1b2c3d4e5f60718',
  hostName: 'greenhouse-pi',
  epoch: EPOCH,
  /** As of a gateway that has just started. */
  firstSeq: 1_000_000_001,
} as const;

/** In order, and as much as the link can carry. */
export const STRICT = {
  order: 'strict',
  eventsLiveFirst: false,
  backlogShare: 0.5,
  maxBytesPerSecond: 0,
  maxBytesPerDay: 0,
  eventsOverBudget: false,
} as const;

const COMMON = {
  streams: [...STREAMS],
  from: 'oldest',
  typePrefix: 'sluice',
  batch: { maxRecords: 1_000, maxBytes: 1 << 20, maxWait: 0 },
  backoff: { initial: 20, max: 500 },
  ...STRICT,
} as const;

/** The defaults of the configuration, but for short pauses and what the test says. */
export function kafkaOptions(changes: Partial<KafkaUplinkOptions> = {}): KafkaUplinkOptions {
  return {
    ...COMMON,
    name: 'plant',
    type: 'kafka',
    brokers: ['127.0.0.1:9092'],
    tls: false,
    sasl: false,
    client: 'kafkajs',
    clientId: 'sluice',
    delivery: 'at_least_once',
    compression: 'none',
    topics: topicsUnder('sluice'),
    key: '{gateway}/{device}',
    timestamp: 'sent',
    envelope: 'binary',
    channelHeader: false,
    createTopics: false,
    connectionTimeout: 5_000,
    requestTimeout: 10_000,
    ...changes,
  };
}

export function fileOptions(changes: Partial<FileUplinkOptions> & { directory: string }): FileUplinkOptions {
  return { ...COMMON, name: 'stick', type: 'file', rotateBytes: 64 << 20, ...changes };
}

/** `{prefix}.{stream}` for each stream. */
export function topicsUnder(prefix: string): Record<Stream, string> {
  return Object.fromEntries(STREAMS.map((stream) => [stream, `${prefix}.${stream}`])) as Record<Stream, string>;
}

/** What every upstream is given beside its options. */
export function upstreamParts(): { events: CloudEvents; logger: MemoryLogger; routes: readonly TopicRoute[] } {
  return { events: new CloudEvents({ ...IDENTITY, typePrefix: 'sluice' }), logger: new MemoryLogger(), routes: [] };
}

/** The seq in a CloudEvents id. */
export function seqOfEventId(id: string | undefined): number {
  return Number(id?.split(':').at(-1));
}
