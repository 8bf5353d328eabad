import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKafkaClient } from '../../src/uplink/kafka/client-library.ts';
import type { CreateKafkaClient, KafkaClient } from '../../src/uplink/kafka/kafka-client.ts';
import type { HashedMessage } from '../../src/uplink/kafka/partitioner.ts';
import { type Kafka, prepareKafka } from '../support/kafka.ts';
import { MemoryLogger } from '../support/memory-logger.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const BOUNDS = { deadlineMs: 5_000, signal: new AbortController().signal };
const ROUNDS = 8;
const ASKED_COUNT = 20;

/** kafkajs asks for the metadata of all topics of a producer at once, and fails for all when one is missing. */
describe('topics that are asked for together', () => {
  let kafka: Kafka;

  beforeAll(async () => {
    kafka = await prepareKafka();
    await kafka.start();
  });
  afterAll(() => kafka.stop());

  it.each(KAFKA_CLIENTS)('are delivered to by %s, new ones too, whatever else is missing', async (library) => {
    const create = await loadKafkaClient(library);
    const good = `good-${library}`;
    await kafka.createTopic(good);
    for (let round = 0; round < ROUNDS; round += 1) {
      const client = newClient(create, kafka.bootstrap);
      await client.connect(BOUNDS);
      const missing = refusals(client, 'missing');
      const fresh = `new-${library}-${round}`;
      const made = kafka.createTopic(fresh);
      for (let count = 0; count < 10; count += 1) await produce(client, good);
      await waitFor(() => produce(client, fresh).then(() => true), { what: 'the new topic', timeoutMs: 5_000 });
      expect(await missing).toBe(ASKED_COUNT);
      await made;
      await client.close(1_000);
    }
    expect(await kafka.countRecords(good)).toBe(ROUNDS * 10);
  });
});

function newClient(create: CreateKafkaClient, broker: string): KafkaClient {
  return create({
    brokers: [broker],
    clientId: 'topics',
    compression: 'none',
    tls: false,
    sasl: false,
    connectionTimeout: 1_000,
    requestTimeout: 2_000,
    logger: new MemoryLogger(),
  });
}

/** How many requests are refused, of ASKED_COUNT one after the other. */
async function refusals(client: KafkaClient, topic: string): Promise<number> {
  let count = 0;
  for (let asked = 0; asked < ASKED_COUNT; asked += 1) {
    await produce(client, topic).catch(() => {
      count += 1;
    });
  }
  return count;
}

function produce(client: KafkaClient, topic: string): Promise<void> {
  const message: HashedMessage = {
    key: Buffer.from('key'),
    value: Buffer.from('value'),
    headers: {},
    timestamp: String(Date.now()),
    keyHash: 0,
  };
  return client.produce(topic, [message], BOUNDS);
}
