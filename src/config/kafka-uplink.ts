import type { KafkaUplinkConfig } from './config.ts';
import { kafkaUplink as schema } from './schema/kafka.ts';

/** An uplink named `kafka` with all defaults that makes missing topics; undefined when `broker` is not `host:port`. */
export function kafkaUplink(broker: string): KafkaUplinkConfig | undefined {
  return schema.safeParse({ brokers: [broker], createTopics: true }).data;
}
