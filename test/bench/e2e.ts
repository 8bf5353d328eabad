/**
 * From the device to Kafka with acks=all: 150 B, QoS 1, 20 clients with 20 messages in flight, in turn with
 * mosquitto and Telegraf, once with Telegraf's memory buffer and once with its disk buffer.
 */

import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { runLoad } from '../support/mqtt-load.ts';
import { countStore } from '../support/verify.ts';
import { startMosquitto, startTelegraf, telegrafBinary } from './peers.ts';
import { type Usage, UsageWatch } from './process-usage.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';
import { TopicCount } from './topic-count.ts';

export interface E2eOptions {
  readonly rounds: number;
  readonly messages: number;
}

interface Round extends Usage {
  readonly messages: number;
  readonly ackedPerS: number;
  readonly e2ePerS: number;
  /** Records in Kafka beyond one per message. */
  readonly repeatedCount: number;
}

interface Target {
  readonly kafka: Kafka;
  readonly topic: string;
  readonly messages: number;
}

/** Every peer runs for days: what is measured is the rate after its first seconds. */
const WARM_UP_MESSAGES = 50_000;
const TIMEOUT_MS = 180_000;
const AIM_MEMORY = 1.2;
const AIM_DISK = 8;

export async function benchE2e({ rounds, messages }: E2eOptions): Promise<boolean> {
  telegrafBinary();
  const kafka = await startKafka({ isLasting: true });
  const results = { sluice: [] as Round[], memory: [] as Round[], disk: [] as Round[] };
  try {
    for (let round = 1; round <= rounds; round += 1) {
      for (const peer of ['memory', 'sluice', 'disk'] as const) {
        const topic = `bench.${peer}.${round}`;
        await kafka.createTopic(topic, { partitions: 3 });
        const target = { kafka, topic, messages };
        const result = await (peer === 'sluice' ? sluice(target) : telegraf(target, peer));
        results[peer].push(result);
        measured('e2e', {
          peer: peer === 'sluice' ? 'sluice' : `mosquitto + telegraf, ${peer} buffer`,
          round,
          ...result,
        });
      }
    }
  } finally {
    await kafka.stop();
  }
  return report(results);
}

async function load(port: number, pids: readonly number[], { kafka, topic, messages }: Target): Promise<Round> {
  const shape = { port, clientCount: 20, inFlight: 20, payloadBytes: 150 };
  return TopicCount.within(kafka, topic, async (count) => {
    await runLoad({ ...shape, messageCount: WARM_UP_MESSAGES });
    await count.reaches(WARM_UP_MESSAGES, TIMEOUT_MS);
    const watch = new UsageWatch(pids);
    const startedAt = performance.now();
    const { ackedPerS } = await runLoad({ ...shape, messageCount: messages });
    const arrived = await count.reaches(WARM_UP_MESSAGES + messages, TIMEOUT_MS);
    const seconds = (performance.now() - startedAt) / 1000;
    const repeatedCount = arrived - WARM_UP_MESSAGES - messages;
    return { messages, ackedPerS, e2ePerS: Math.round(messages / seconds), repeatedCount, ...watch.stop() };
  });
}

async function sluice(target: Target): Promise<Round> {
  const uplink = {
    name: 'bench',
    type: 'kafka',
    brokers: [target.kafka.bootstrap],
    streams: ['telemetry'],
    topics: { telemetry: target.topic },
  };
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { uplinks: [uplink] } });
  try {
    await gateway.start();
    const result = await load(gateway.mqttPort, [gateway.pid ?? 0], target);
    await gateway.stop('SIGTERM');
    const { problems, lanes } = countStore(gateway.dataDir);
    const delivered = lanes.reduce((sum, { deliveredCount }) => sum + deliveredCount, 0);
    const expected = WARM_UP_MESSAGES + target.messages;
    if (problems.length > 0) throw new Error(problems.join('\n'));
    if (delivered !== expected) throw new Error(`${delivered} delivered, ${expected} acknowledged`);
    return result;
  } finally {
    await gateway.dispose();
  }
}

async function telegraf(target: Target, buffer: 'memory' | 'disk'): Promise<Round> {
  const broker = await startMosquitto();
  try {
    const kafkaBroker = target.kafka.bootstrap;
    const forwarder = await startTelegraf({ mqttPort: broker.port, kafkaBroker, topic: target.topic, buffer });
    try {
      return await load(broker.port, [...broker.pids, ...forwarder.pids], target);
    } finally {
      await forwarder.stop();
    }
  } finally {
    await broker.stop();
  }
}

interface Results {
  readonly sluice: readonly Round[];
  readonly memory: readonly Round[];
  readonly disk: readonly Round[];
}

function report(results: Results): boolean {
  const rate = (rounds: readonly Round[]): number => median(rounds.map(({ e2ePerS }) => e2ePerS));
  const overMemory = rate(results.sluice) / rate(results.memory);
  const overDisk = rate(results.sluice) / rate(results.disk);
  const row = (name: string, rounds: readonly Round[], ratio: string, aim: string): string[] => [
    name,
    thousands(rate(rounds)),
    thousands(median(rounds.map(({ ackedPerS }) => ackedPerS))),
    `${Math.round(median(rounds.map(({ cpuS, messages }) => (cpuS * 1e6) / messages)))} s`,
    `${median(rounds.map(({ peakRssMb }) => peakRssMb))} MB`,
    ratio,
    aim,
  ];
  const met = [verdict(overMemory, AIM_MEMORY, 'higher'), verdict(overDisk, AIM_DISK, 'higher')];
  say(
    table(
      ['150 B, QoS 1 → Kafka acks=all', 'end to end/s', 'acked/s', 'CPU per million', 'peak RSS', 'sluice is', 'aim'],
      [
        row('sluice, every record on disk', results.sluice, '1', ''),
        row('mosquitto + Telegraf, memory', results.memory, `× ${overMemory.toFixed(2)}`, `≥ ${AIM_MEMORY}: ${met[0]}`),
        row('mosquitto + Telegraf, disk', results.disk, `× ${overDisk.toFixed(2)}`, `≥ ${AIM_DISK}: ${met[1]}`),
      ],
    ),
  );
  return met.every((word) => word === 'met');
}
