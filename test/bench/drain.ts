/** A million records have piled up, Kafka comes back, and devices go on publishing 100 messages a second. */

import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import type { LoadResult } from '../support/mqtt-load.ts';
import { countStore } from '../support/verify.ts';
import { fillBacklog, liveLoad } from './backlog.ts';
import { type Usage, UsageWatch } from './process-usage.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';
import { TopicCount } from './topic-count.ts';

export interface DrainOptions {
  readonly rounds: number;
  readonly records: number;
}

interface Round extends Usage {
  readonly drainedPerS: number;
  readonly idleP99Ms: number;
  readonly liveP99Ms: number;
  readonly liveMaxMs: number;
}

const TOPIC = 'bench.drain';
const IDLE_MS = 15_000;
const TIMEOUT_MS = 600_000;
const AIM_PER_S = 25_000;
const AIM_P99_MS = 25;

export async function benchDrain({ rounds, records }: DrainOptions): Promise<boolean> {
  const results: Round[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const result = await drainOnce(records);
    results.push(result);
    measured('drain', { round, records, ...result });
  }
  return report(results);
}

async function drainOnce(records: number): Promise<Round> {
  const kafka = await startKafka();
  const uplink = {
    name: 'bench',
    type: 'kafka',
    brokers: [kafka.bootstrap],
    streams: ['telemetry'],
    topics: { telemetry: TOPIC },
    backoff: { initial: '100ms', max: '500ms' },
  };
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { uplinks: [uplink] } });
  try {
    await kafka.createTopic(TOPIC, { partitions: 3 });
    await gateway.start();
    const idle = await liveLoad(gateway, AbortSignal.timeout(IDLE_MS));
    await TopicCount.within(kafka, TOPIC, (count) => count.reaches(idle.sentCount, TIMEOUT_MS));
    await kafka.kill();
    await fillBacklog(gateway, records);
    const { live, ...drained } = await drain(kafka, gateway, { before: idle.sentCount, records });
    await verify(kafka, gateway, idle.sentCount + records + live.sentCount);
    return { ...drained, idleP99Ms: idle.p99Ms, liveP99Ms: live.p99Ms, liveMaxMs: live.maxMs };
  } finally {
    await gateway.dispose();
    await kafka.stop();
  }
}

interface Drained extends Usage {
  readonly drainedPerS: number;
  readonly live: LoadResult;
}

/**
 * From the first count until as many records have arrived as had piled up. `before`: how many were there when Kafka
 * went away; asked now, the topic would already hold some of the backlog.
 */
async function drain(
  kafka: Kafka,
  gateway: GatewayProcess,
  { before, records }: { before: number; records: number },
): Promise<Drained> {
  await kafka.start();
  const stopLive = new AbortController();
  const live = liveLoad(gateway, stopLive.signal);
  const watch = new UsageWatch([gateway.pid ?? 0]);
  try {
    return await TopicCount.within(kafka, TOPIC, async (count) => {
      const first = await count.reaches(before + 1, TIMEOUT_MS);
      const startedAt = performance.now();
      const last = await count.reaches(before + records, TIMEOUT_MS);
      const drainedPerS = Math.round((last - first) / ((performance.now() - startedAt) / 1000));
      stopLive.abort();
      const result = await live;
      await count.reaches(before + records + result.sentCount, TIMEOUT_MS);
      return { drainedPerS, live: result, ...watch.stop() };
    });
  } finally {
    stopLive.abort();
  }
}

async function verify(kafka: Kafka, gateway: GatewayProcess, expected: number): Promise<void> {
  await gateway.stop('SIGTERM');
  const { problems, lanes } = countStore(gateway.dataDir);
  const delivered = lanes.reduce((sum, { deliveredCount }) => sum + deliveredCount, 0);
  const arrived = await kafka.countRecords(TOPIC);
  if (problems.length > 0) throw new Error(problems.join('\n'));
  if (delivered !== expected || arrived < expected) {
    throw new Error(`${expected} acknowledged, ${delivered} delivered, ${arrived} in Kafka`);
  }
}

function report(rounds: readonly Round[]): boolean {
  const rate = median(rounds.map(({ drainedPerS }) => drainedPerS));
  const live = median(rounds.map(({ liveP99Ms }) => liveP99Ms));
  const idle = median(rounds.map(({ idleP99Ms }) => idleP99Ms));
  const aimP99 = Math.max(3 * idle, AIM_P99_MS);
  const met = [verdict(rate, AIM_PER_S, 'higher'), verdict(live, aimP99, 'lower')];
  const peak = median(rounds.map(({ peakRssMb }) => peakRssMb));
  say(
    table(
      ['drain with 100 messages/s live', 'measured', 'aim', ''],
      [
        ['records/s to Kafka', thousands(rate), `≥ ${thousands(AIM_PER_S)}`, met[0] ?? ''],
        ['p99 of live acknowledgements', `${live} ms`, `≤ ${aimP99.toFixed(1)} ms`, met[1] ?? ''],
        ['the same while nothing drains', `${idle} ms`, '', ''],
        ['peak RSS', `${peak} MB`, '', ''],
      ],
    ),
  );
  return met.every((word) => word === 'met');
}
