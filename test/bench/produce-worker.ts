/** One Kafka client library in a thread of its own, as in the gateway: batches of one lane, one after the other. */

import process from 'node:process';
import { parentPort, workerData } from 'node:worker_threads';
import type { LaneId } from '../../src/core/lane-log.ts';
import type { StoredRecord } from '../../src/core/record.ts';
import { loadKafkaClient } from '../../src/uplink/kafka/client-library.ts';
import { createKafkaUpstream } from '../../src/uplink/kafka/create-upstream.ts';
import type { KafkaClientName, KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { newRecord } from '../support/records.ts';
import { IDENTITY, kafkaOptions, topicsUnder, upstreamParts } from '../support/uplink-options.ts';

export interface ProduceOrder {
  readonly client: KafkaClientName;
  readonly broker: string;
  /** Telemetry goes to `{prefix}.telemetry`. */
  readonly prefix: string;
  readonly records: number;
  /** Default at_least_once. */
  readonly delivery?: KafkaUplinkOptions['delivery'];
  /** Default 1,000. */
  readonly batchRecords?: number;
}

export interface ProduceResult {
  readonly producedPerS: number;
  /** Processor time of the thread. */
  readonly microsPerRecord: number;
}

const DEVICES = 20;
const WARM_UP_RECORDS = 100_000;
const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const value = Buffer.from(JSON.stringify({ temperature: 21.5, padding: 'x'.repeat(116) }));

const order = workerData as ProduceOrder;
const { client, broker, prefix, records, delivery = 'at_least_once', batchRecords = 1_000 } = order;
const upstream = createKafkaUpstream({
  ...kafkaOptions({
    client,
    delivery,
    name: prefix,
    brokers: [broker],
    topics: topicsUnder(prefix),
    streams: ['telemetry'],
  }),
  ...upstreamParts(),
  ...IDENTITY,
  createClient: await loadKafkaClient(client),
});
let seq = 0;

await upstream.open(AbortSignal.timeout(10_000));
await upstream.position?.(LANE);
await produce(WARM_UP_RECORDS);
const startedAt = performance.now();
const cpuBefore = process.threadCpuUsage();
await produce(records);
const seconds = (performance.now() - startedAt) / 1_000;
const { user, system } = process.threadCpuUsage(cpuBefore);
await upstream.close({ deadlineMs: 1_000 });
parentPort?.postMessage({
  producedPerS: Math.round(records / seconds),
  microsPerRecord: (user + system) / records,
} satisfies ProduceResult);

async function produce(count: number): Promise<void> {
  const until = seq + count;
  while (seq < until) {
    const after = seq;
    const batch = Array.from({ length: batchRecords }, nextRecord);
    const { error } = await upstream.send(LANE, after, batch, {
      deadlineMs: 30_000,
      signal: new AbortController().signal,
    });
    if (error !== null) throw error;
  }
}

function nextRecord(): StoredRecord {
  seq += 1;
  return { ...newRecord({ device: `sensor-${seq % DEVICES}`, value }), seq };
}
