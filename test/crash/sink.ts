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

export async function openSink(type: SinkType, client: KafkaClientName): Promise<Sink> {
  return type === 'file' ? fileSink() : kafkaSink(await startKafka(), client);
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

export function kafkaUplink(broker: string, client: KafkaClientName = 'kafkajs'): Readonly<Record<string, unknown>> {
  return {
    name: 'sink',
    type: 'kafka',
    client,
    brokers: [broker],
    createTopics: { partitions: 3, replicationFactor: 1 },
    backoff: BACKOFF,
  };
}

/** All streams of a gateway that forwards to the default topics. */
export async function* readTopics(bootstrap: string): AsyncGenerator<Arrival> {
  for (const stream of STREAMS) {
    if (stream !== 'responses' && stream !== 'gaps') yield* readKafka(bootstrap, `sluice.${stream}`);
  }
}
