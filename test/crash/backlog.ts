/**
 * A long outage: very many records have piled up, the gateway is killed and started on them, Kafka returns. It must
 * start at once, stay small, and drain to the end.
 */

import { fillBacklog } from '../bench/backlog.ts';
import { firstConnackMs } from '../bench/first-connack.ts';
import { UsageWatch } from '../bench/process-usage.ts';
import { TopicCount } from '../bench/topic-count.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { countStore } from '../support/verify.ts';
import { arrivedSeqs, storedSeqs } from './backlog/read-seqs.ts';
import { judgeSeqs, type SeqVerdict } from './backlog/seq-judge.ts';
import { drained } from './drained.ts';
import { choice, defineScenario, flag, wholeNumber } from './scenario.ts';

interface BacklogOptions {
  readonly records: number;
  readonly client: (typeof KAFKA_CLIENTS)[number];
  readonly minRate: number;
  readonly maxStartMs: number;
  readonly control: boolean;
  readonly say: (line: string) => void;
}

interface BacklogResult extends SeqVerdict {
  /** From the start of the process until the first client was let in: after a kill, with all of it pending. */
  readonly startMs: number;
  /** Largest, while it drained. */
  readonly peakRssMb: number;
  readonly drainedPerS: number;
  readonly problems: readonly string[];
}

const TOPIC = 'crash.backlog';
const MAX_RSS_MB = 200;
const MS_PER_RECORD = 1;
const LEAST_WAIT_MS = 120_000;
const FORGETFUL = ['--import', new URL('./backlog/swap-a-page.ts', import.meta.url).href];

async function runBacklog(options: BacklogOptions): Promise<BacklogResult> {
  const { records, client, control, say } = options;
  const kafka = await startKafka({ isLasting: true });
  const uplink = {
    name: 'sink',
    type: 'kafka',
    client,
    brokers: [kafka.bootstrap],
    streams: ['telemetry'],
    topics: { telemetry: TOPIC },
    backoff: { initial: '100ms', max: '1s' },
  };
  const gateway = await GatewayProcess.create({
    ...(control ? { nodeOptions: FORGETFUL } : { build: 'launcher' }),
    config: { uplinks: [uplink], buffer: { maxBytes: '8GiB', keepFree: '16MiB' } },
  });
  try {
    await kafka.createTopic(TOPIC, { partitions: 3 });
    await kafka.kill();
    await gateway.start();
    const filled = await fillBacklog(gateway, records);
    say(`${records} records are pending, stored at ${filled.ackedPerS}/s`);
    await gateway.stop('SIGKILL');
    const startMs = Math.round(await firstConnackMs(gateway));
    await gateway.ready();
    const watch = new UsageWatch([gateway.pid ?? 0]);
    await kafka.start();
    const drainedPerS = await drain(kafka, records).catch(() => 0);
    const { peakRssMb } = watch.stop();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { problems } = countStore(gateway.dataDir);
    const verdict = await judgeSeqs(arrivedSeqs(kafka.bootstrap, TOPIC), storedSeqs(gateway.dataDir));
    const figures = { startMs, peakRssMb, drainedPerS, ...verdict };
    return { ...figures, problems: [...problems, ...judge(figures, options)] };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    await gateway.dispose();
    await kafka.stop();
  }
}

/** Records a second, from the first count until all are there. */
function drain(kafka: Kafka, records: number): Promise<number> {
  const timeoutMs = Math.max(LEAST_WAIT_MS, records * MS_PER_RECORD);
  return TopicCount.within(kafka, TOPIC, async (count) => {
    const first = await count.reaches(1, timeoutMs);
    const startedAt = performance.now();
    const last = await count.reaches(records, timeoutMs);
    return Math.round((last - first) / ((performance.now() - startedAt) / 1000));
  });
}

function judge(figures: Omit<BacklogResult, 'problems'>, { minRate, maxStartMs }: BacklogOptions): string[] {
  const { startMs, peakRssMb, drainedPerS, storedCount, lostCount, lostExamples, strangeCount, disorderedCount } =
    figures;
  const found: string[] = [];
  if (startMs > maxStartMs) found.push(`the first client was let in only after ${startMs} ms`);
  if (peakRssMb > MAX_RSS_MB) found.push(`${peakRssMb} MB of memory`);
  if (lostCount > 0)
    found.push(`${lostCount} of ${storedCount} records never arrived: seqs ${lostExamples.join(' ')} …`);
  if (strangeCount > 0) found.push(`${strangeCount} records that are not stored`);
  if (disorderedCount > 0) found.push(`${disorderedCount} records out of order`);
  if (drainedPerS < minRate) found.push(`${drainedPerS} records a second`);
  return found;
}

export const scenario = defineScenario({
  about: 'very many records have piled up when Kafka returns: a quick start, little memory, drained to the end',
  usage: '[--records N] [--min-rate N] [--max-start-ms N] [--client C] [--control]',
  options: {
    records: wholeNumber(300_000, 'records that pile up', 10_000),
    'min-rate': wholeNumber(25_000, 'records a second that it must drain at'),
    'max-start-ms': wholeNumber(2_000, 'milliseconds until the first client must be let in'),
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    control: flag('an uplink that sends pages twice in place of others: records must be missing'),
  },
  run: async ({ records, client, control, say, 'min-rate': minRate, 'max-start-ms': maxStartMs }) => {
    const result = await runBacklog({ records, minRate, maxStartMs, client, control, say });
    const { lostCount, repeatedCount } = result;
    const seen =
      lostCount > 0
        ? `as it must, the control lost ${lostCount} records, and sent ${repeatedCount} twice`
        : 'FAIL: this run could not have noticed a loss';
    const lines = control ? [seen] : result.problems.map((problem) => `PROBLEM ${problem}`);
    const passed = control ? lostCount > 0 : result.problems.length === 0;
    return { passed, lines, json: { records, client, control, ...result } };
  },
});
