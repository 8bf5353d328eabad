/**
 * The control of the crash test `backlog`, imported into a gateway before it starts: a Kafka uplink that sends every
 * tenth time the request before once more, and not its own. As many records arrive as are stored.
 */

import type { Bounds } from '../../../src/uplink/bounded.ts';
import { KafkajsClient } from '../../../src/uplink/kafka/kafkajs/kafkajs-client.ts';
import type { HashedMessage } from '../../../src/uplink/kafka/partitioner.ts';

const EVERY = 10;

const { produce } = KafkajsClient.prototype;
let count = 0;
let before: HashedMessage[] = [];

KafkajsClient.prototype.produce = async function produceSome(
  this: KafkajsClient,
  topic: string,
  messages: HashedMessage[],
  bounds: Bounds,
): Promise<void> {
  count += 1;
  if (count % EVERY !== 0) before = messages;
  await produce.call(this, topic, before, bounds);
};
