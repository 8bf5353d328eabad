/**
 * The control of the crash test `backlog`, imported into a gateway before it starts: a Kafka uplink that says of a
 * tenth of its requests that they were delivered, and does not send them.
 */

import type { Bounds } from '../../../src/uplink/bounded.ts';
import { KafkajsClient } from '../../../src/uplink/kafka/kafkajs/kafkajs-client.ts';
import type { HashedMessage } from '../../../src/uplink/kafka/partitioner.ts';

const { produce } = KafkajsClient.prototype;
let count = 0;

KafkajsClient.prototype.produce = async function produceMost(
  this: KafkajsClient,
  topic: string,
  messages: HashedMessage[],
  bounds: Bounds,
): Promise<void> {
  count += 1;
  if (count % 10 !== 0) await produce.call(this, topic, messages, bounds);
};
