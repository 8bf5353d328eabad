/** A million records have piled up, Kafka comes back, and devices go on publishing 100 messages a second. */

import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import type { LoadResult } from '../support/mqtt-load.ts';
import { countStore } from '../support/verify.ts';
import { fillBacklog, liveLoad } from './backlog.ts';
import { type LiveLatency, liveLatency, WHEN_WRITTEN } from './live-latency.ts';
import { type Usage, UsageWatch } from './process-usage.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';
import { TopicCount } from './topic-count.ts';

export interface DrainOptions {
  readonly rounds: number;
  readonly records: number;
  readonly order: Order;
}

export const ORDERS = ['strict', 'live_first'] as const;
export type Order = (typeof ORDERS)[number];

interface Round extends Usage, LiveLatency {
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
/** Of live records on their whole way, with `live_first`: in strict order they stand behind the backlog. */
const AIM_END_TO_END_MS = 1_000;

export async function benchDrain({ rounds, records, order }: DrainOptions): Promise<boolean> {
  const results: Round[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const result = await drainOnce(records, order);
    results.push(result);
    measured('drain', { round, records, order, ...result });
  }
  return report(results, order);
}

async function drainOnce(records: number, order: Order): Promise<Round> {
  const kafka = await startKafka({ isLasting: true });
  const uplink = {
    name: 'bench',
    type: 'kafka',
    brokers: [kafka.bootstrap],
    streams: ['telemetry'],
    topics: { telemetry: TOPIC },
    order,
    backoff: { initial: '100ms', max: '500ms' },
  };
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { uplinks: [uplink] } });
  try {
    await kafka.createTopic(TOPIC, { partitions: 3, config: WHEN_WRITTEN });
    await gateway.start();
    const idle = await liveLoad(gateway, AbortSignal.timeout(IDLE_MS));
    await TopicCount.within(kafka, TOPIC, (count) => count.reaches(idle.sentCount, TIMEOUT_MS));
    await kafka.kill();
    await fillBacklog(gateway, records);
    const { live, from, to, ...drained } = await drain(kafka, gateway, { before: idle.sentCount, records });
    await verify(kafka, gateway, idle.sentCount + records + live.sentCount);
    const latency = await liveLatency(kafka.bootstrap, TOPIC, { prefix: 'live', from, to });
    return { ...drained, ...latency, idleP99Ms: idle.p99Ms, liveP99Ms: live.p99Ms, liveMaxMs: live.maxMs };
  } finally {
    await gateway.dispose();
    await kafka.stop();
  }
}

interface Drained extends Usage {
  readonly drainedPerS: number;
  readonly live: LoadResult;
  /** Between which times the backlog drained; UTC milliseconds. */
  readonly from: number;
  readonly to: number;
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
      const from = Date.now();
      const last = await count.reaches(before + records, TIMEOUT_MS);
      const drainedPerS = Math.round((last - first) / ((performance.now() - startedAt) / 1000));
      const to = Date.now();
      stopLive.abort();
      const result = await live;
      await count.reaches(before + records + result.sentCount, TIMEOUT_MS);
      return { drainedPerS, live: result, from, to, ...watch.stop() };
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

function report(rounds: readonly Round[], order: Order): boolean {
  const rate = median(rounds.map(({ drainedPerS }) => drainedPerS));
  const live = median(rounds.map(({ liveP99Ms }) => liveP99Ms));
  const idle = median(rounds.map(({ idleP99Ms }) => idleP99Ms));
  const aimP99 = Math.max(3 * idle, AIM_P99_MS);
  const endToEnd = median(rounds.map(({ endToEndP99Ms }) => endToEndP99Ms));
  const isLiveFirst = order === 'live_first';
  const met = [
    verdict(rate, isLiveFirst ? AIM_PER_S / 2 : AIM_PER_S, 'higher'),
    verdict(live, aimP99, 'lower'),
    ...(isLiveFirst ? [verdict(endToEnd, AIM_END_TO_END_MS, 'lower')] : []),
  ];
  const peak = median(rounds.map(({ peakRssMb }) => peakRssMb));
  say(
    table(
      [`drain with 100 messages/s live, ${order}`, 'measured', 'aim', ''],
      [
        [
          'records/s to Kafka',
          thousands(rate),
          `≥ ${thousands(isLiveFirst ? AIM_PER_S / 2 : AIM_PER_S)}`,
          met[0] ?? '',
        ],
        ['p99 of live acknowledgements', `${live} ms`, `≤ ${aimP99.toFixed(1)} ms`, met[1] ?? ''],
        ['the same while nothing drains', `${idle} ms`, '', ''],
        ['p99 of live records to Kafka', `${endToEnd} ms`, isLiveFirst ? '≤ 1,000 ms' : '', met[2] ?? ''],
        ['peak RSS', `${peak} MB`, '', ''],
      ],
    ),
  );
  return met.every((word) => word === 'met');
}
