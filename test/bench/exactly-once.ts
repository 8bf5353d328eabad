/** What transactions cost: the same records produced at least once and exactly once, in turn. */

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { KafkaClientName, KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import type { ProduceOrder, ProduceResult } from './produce-worker.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';

export interface ExactlyOnceOptions {
  readonly rounds: number;
  readonly records: number;
}

interface Way {
  readonly client: KafkaClientName;
  readonly delivery: KafkaUplinkOptions['delivery'];
  readonly batchRecords: number;
}

const PARTITIONS = 3;
const BATCHES = [500, 1_000, 2_000];
const AIM = 0.7;

export async function benchExactlyOnce({ rounds, records }: ExactlyOnceOptions): Promise<boolean> {
  const rates = new Map<string, number[]>();
  const kafka = await startKafka({ isLasting: true });
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const way of ways()) {
        const prefix = [way.client, way.delivery, way.batchRecords, round].join('-');
        const { producedPerS, microsPerRecord } = await produce(kafka, { ...way, prefix, records });
        measured('exactly-once', { ...way, round, producedPerS, microsPerRecord });
        rates.set(nameOf(way), [...(rates.get(nameOf(way)) ?? []), producedPerS]);
      }
    }
  } finally {
    await kafka.stop();
  }
  return report(rates);
}

function ways(): Way[] {
  const deliveries = ['at_least_once', 'exactly_once'] as const;
  return KAFKA_CLIENTS.flatMap((client) =>
    BATCHES.flatMap((batchRecords) => deliveries.map((delivery) => ({ client, batchRecords, delivery }))),
  );
}

async function produce(kafka: Kafka, order: Omit<ProduceOrder, 'broker'>): Promise<ProduceResult> {
  await kafka.createTopic(`${order.prefix}.telemetry`, { partitions: PARTITIONS });
  const worker = new Worker(new URL('./produce-worker.ts', import.meta.url), {
    workerData: { ...order, broker: kafka.bootstrap } satisfies ProduceOrder,
  });
  const [result] = (await once(worker, 'message')) as [ProduceResult];
  await worker.terminate();
  return result;
}

function nameOf({ client, delivery, batchRecords }: Way): string {
  return `${client} ${batchRecords} ${delivery}`;
}

function report(rates: ReadonlyMap<string, readonly number[]>): boolean {
  const rateOf = (way: Way): number => median([...(rates.get(nameOf(way)) ?? [])]);
  const rows = KAFKA_CLIENTS.flatMap((client) =>
    BATCHES.map((batchRecords) => {
      const atLeastOnce = rateOf({ client, batchRecords, delivery: 'at_least_once' });
      const exactlyOnce = rateOf({ client, batchRecords, delivery: 'exactly_once' });
      const ratio = exactlyOnce / atLeastOnce;
      const cells = [client, thousands(batchRecords), thousands(atLeastOnce), thousands(exactlyOnce), ratio.toFixed(2)];
      return { cells: [...cells, verdict(ratio, AIM, 'higher')], ratio };
    }),
  );
  say(
    table(
      ['150 B', 'a batch', 'at least once/s', 'exactly once/s', `aim ≥ ${AIM}`, ''],
      rows.map(({ cells }) => cells),
    ),
  );
  return KAFKA_CLIENTS.every((client) => rows.some(({ cells, ratio }) => cells[0] === client && ratio >= AIM));
}
