import { join } from 'node:path';
import { STREAMS } from '../../src/core/stream.ts';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import type { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { type Arrival, readFiles, readKafka } from '../support/verify.ts';

export const SINK_TYPES = ['file', 'kafka'] as const;
export type SinkType = (typeof SINK_TYPES)[number];

/** Where the gateway of a crash run delivers to, and how that is read afterwards. */
export interface Sink {
  /** The gateway's `uplinks`. */
  readonly uplinks: readonly Readonly<Record<string, unknown>>[];
  /** True when a repeat upstream is a fault too, not only a record stored twice. */
  readonly exactlyOnce: boolean;
  arrivals(gateway: GatewayProcess): AsyncIterable<Arrival>;
  close(): Promise<void>;
}

const BACKOFF = { initial: '50ms', max: '1s' };

export const ORDERS = ['strict', 'live_first'] as const;
export type Order = (typeof ORDERS)[number];

/** Batches so small that what a kill leaves behind is more than one, and a backlog so slow that the next kill meets it. */
const LIVE_FIRST = { order: 'live_first', eventsLiveFirst: true, backlogShare: 0.05 } as const;
const SMALL_BATCH = { maxRecords: 20 } as const;

/** Beside the other options of a `batch`. */
export function ordered(order: Order, batch: Readonly<Record<string, unknown>> = {}) {
  return order === 'strict' ? { batch } : { ...LIVE_FIRST, batch: { ...batch, ...SMALL_BATCH } };
}

export async function openSink(type: SinkType, client: KafkaClientName, order: Order = 'strict'): Promise<Sink> {
  const sink = type === 'file' ? fileSink() : kafkaSink(await startKafka(), client);
  return { ...sink, uplinks: sink.uplinks.map((uplink) => ({ ...uplink, ...ordered(order) })) };
}

function fileSink(): Sink {
  return {
    uplinks: [{ name: 'sink', type: 'file', directory: '{directory}/upstream', rotateBytes: '4MiB', backoff: BACKOFF }],
    exactlyOnce: true,
    arrivals: (gateway) => readFiles(join(gateway.directory, 'upstream')),
    close: () => Promise.resolve(),
  };
}

function kafkaSink(kafka: Kafka, client: KafkaClientName): Sink {
  return {
    uplinks: [kafkaUplink(kafka.bootstrap, client)],
    exactlyOnce: false,
    arrivals: () => readTopics(kafka.bootstrap),
    close: () => kafka.stop(),
  };
}

/** Every broker has a replica of each topic. */
export function kafkaUplink(
  brokers: string | readonly string[],
  client: KafkaClientName = 'kafkajs',
): Readonly<Record<string, unknown>> {
  const addresses = [brokers].flat();
  return {
    name: 'sink',
    type: 'kafka',
    client,
    brokers: addresses,
    createTopics: { partitions: 3, replicationFactor: addresses.length },
    backoff: BACKOFF,
  };
}

/** Where a fleet's records go by default; it sends neither responses nor what would make gaps. */
export const SINK_TOPICS = STREAMS.filter((stream) => stream !== 'responses' && stream !== 'gaps').map(
  (stream) => `sluice.${stream}`,
);

/** All streams of a gateway that forwards to the default topics. `brokers`: addresses with commas between them. */
export async function* readTopics(brokers: string): AsyncGenerator<Arrival> {
  for (const topic of SINK_TOPICS) yield* readKafka(brokers, topic);
}
