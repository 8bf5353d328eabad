/** The libraries that speak to Kafka, in turn: what they produce alone, and what the gateway needs with each. */

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { runLoad } from '../support/mqtt-load.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { countStore } from '../support/verify.ts';
import { UsageWatch } from './process-usage.ts';
import type { ProduceOrder, ProduceResult } from './produce-worker.ts';
import { measured, median, say, table, thousands } from './report.ts';
import { TopicCount } from './topic-count.ts';

export interface ClientsOptions {
  readonly rounds: number;
  /** Of the load that goes as fast as it is acknowledged. */
  readonly messages: number;
}

interface GatewayResult {
  readonly idleMb: number;
  readonly steadyMb: number;
  readonly flatOutMb: number;
  readonly e2ePerS: number;
  readonly cpuMicrosPerMessage: number;
}

type Round = ProduceResult & GatewayResult;

interface Turn {
  readonly kafka: Kafka;
  readonly client: KafkaClientName;
  readonly prefix: string;
  readonly messages: number;
}

const PRODUCED_RECORDS = 300_000;
const PARTITIONS = 3;
const SETTLE_MS = 5_000;
const IDLE_MS = 10_000;
const STEADY_MS = 20_000;
const TIMEOUT_MS = 120_000;

export async function benchClients({ rounds, messages }: ClientsOptions): Promise<boolean> {
  const kafka = await startKafka({ isLasting: true });
  const results = new Map<KafkaClientName, Round[]>(KAFKA_CLIENTS.map((client) => [client, []]));
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const client of KAFKA_CLIENTS) {
        const turn = { kafka, client, prefix: `${client}-${round}`, messages };
        const result = { ...(await produceAlone(turn)), ...(await atWork(turn)) };
        results.get(client)?.push(result);
        measured('clients', { client, round, ...result });
      }
    }
  } finally {
    await kafka.stop();
  }
  report(results);
  return true;
}

async function produceAlone({ kafka, client, prefix }: Turn): Promise<ProduceResult> {
  await kafka.createTopic(`${prefix}.telemetry`, { partitions: PARTITIONS });
  const order: ProduceOrder = { client, broker: kafka.bootstrap, prefix, records: PRODUCED_RECORDS };
  const worker = new Worker(new URL('./produce-worker.ts', import.meta.url), { workerData: order });
  const [result] = (await once(worker, 'message')) as [ProduceResult];
  await worker.terminate();
  return result;
}

async function atWork({ kafka, client, prefix, messages }: Turn): Promise<GatewayResult> {
  const topic = `${prefix}.work`;
  await kafka.createTopic(topic, { partitions: PARTITIONS });
  const uplink = {
    type: 'kafka',
    client,
    brokers: [kafka.bootstrap],
    streams: ['telemetry'],
    topics: { telemetry: topic },
  };
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { uplinks: [uplink] } });
  try {
    await gateway.start();
    const result = await TopicCount.within(kafka, topic, (count) => load(gateway, count, messages));
    await gateway.stop('SIGTERM');
    const { problems } = countStore(gateway.dataDir);
    if (problems.length > 0) throw new Error(problems.join('\n'));
    return result;
  } finally {
    await gateway.dispose();
  }
}

async function load(gateway: GatewayProcess, count: TopicCount, messages: number): Promise<GatewayResult> {
  const shape = { port: gateway.mqttPort, clientCount: 20, inFlight: 20, payloadBytes: 150 };
  const watch = (): UsageWatch => new UsageWatch([gateway.pid ?? 0]);
  await delay(SETTLE_MS);
  const idle = watch();
  await delay(IDLE_MS);
  const idleMb = idle.stop().peakRssMb;
  const steady = watch();
  const { sentCount } = await runLoad({ ...shape, ratePerS: 1_000, signal: AbortSignal.timeout(STEADY_MS) });
  const steadyMb = steady.stop().peakRssMb;
  await count.reaches(sentCount, TIMEOUT_MS);
  const flatOut = watch();
  const startedAt = performance.now();
  await runLoad({ ...shape, messageCount: messages });
  await count.reaches(sentCount + messages, TIMEOUT_MS);
  const seconds = (performance.now() - startedAt) / 1_000;
  const { peakRssMb, cpuS } = flatOut.stop();
  const e2ePerS = Math.round(messages / seconds);
  return { idleMb, steadyMb, flatOutMb: peakRssMb, e2ePerS, cpuMicrosPerMessage: (cpuS * 1e6) / messages };
}

function report(results: ReadonlyMap<KafkaClientName, readonly Round[]>): void {
  const row = (what: string, of: (round: Round) => number, unit: string): string[] => [
    what,
    ...KAFKA_CLIENTS.map((client) => `${thousands(median((results.get(client) ?? []).map(of)))}${unit}`),
  ];
  say(
    table(
      ['150 B, Kafka acks=all', ...KAFKA_CLIENTS],
      [
        row('produced/s alone, 1,000 a batch', ({ producedPerS }) => producedPerS, ''),
        row('processor time a record', ({ microsPerRecord }) => microsPerRecord, ' µs'),
        row('gateway, MQTT to Kafka/s', ({ e2ePerS }) => e2ePerS, ''),
        row('processor time a message', ({ cpuMicrosPerMessage }) => cpuMicrosPerMessage, ' µs'),
        row('RSS idle', ({ idleMb }) => idleMb, ' MB'),
        row('RSS at 1,000 messages/s', ({ steadyMb }) => steadyMb, ' MB'),
        row('RSS flat out', ({ flatOutMb }) => flatOutMb, ' MB'),
      ],
    ),
  );
}
