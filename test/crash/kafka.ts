/**
 * Kafka itself is killed at random moments under load: nothing that was acknowledged is lost, order is kept, and
 * delivery goes on by itself.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { SeededRandom } from '../support/random.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario, flag, type Run, wholeNumber } from './scenario.ts';
import { kafkaUplink, readTopics } from './sink.ts';

interface KafkaRun extends Run {
  readonly cycles: number;
  readonly client: (typeof KAFKA_CLIENTS)[number];
  readonly control: boolean;
}

interface KafkaResult {
  readonly kills: number;
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly repeatedCount: number;
  readonly disorderedCount: number;
  /** Of all times from when Kafka answered again to the first record that was delivered. */
  readonly slowestBackMs: number;
  readonly problems: readonly string[];
}

const MESSAGES_PER_S = 100;
const BACK_WITHIN_MS = 10_000;
const BACK_WAIT_MS = 60_000;
const DRAIN_MS = 120_000;
const MAX_AWAY_MS = 2_000;
const CONFIRM_EARLY = ['--import', new URL('./kafka/confirm-early.ts', import.meta.url).href];

async function runKafka({ cycles, client, seed, control, say }: KafkaRun): Promise<KafkaResult> {
  const kafka = await startKafka();
  const uplink = { ...kafkaUplink(kafka.bootstrap, client), connectionTimeout: '2s', requestTimeout: '3s' };
  const gateway = await GatewayProcess.create({
    config: { uplinks: [uplink] },
    nodeOptions: control ? CONFIRM_EARLY : [],
  });
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: MESSAGES_PER_S });
  const random = new SeededRandom(seed);
  let slowestBackMs = 0;
  try {
    await gateway.start();
    fleet.start();
    await deliveredMore(gateway);
    for (let cycle = 1; cycle <= cycles; cycle += 1) {
      await delay(random.between(50, 1_000));
      slowestBackMs = Math.max(slowestBackMs, await killOnce(kafka, gateway, random));
      if (cycle % 10 === 0) say(`${cycle} of ${cycles} kills, back within ${slowestBackMs} ms`);
    }
    await fleet.finish();
    await waitFor(() => progress(gateway.dataDir).pending === 0, { what: 'the backlog to go', timeoutMs: DRAIN_MS });
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, readTopics(kafka.bootstrap));
    const { ackedCount, lostCount, repeatedCount, disorderedCount } = verdict;
    const late = slowestBackMs > BACK_WITHIN_MS ? [`delivering only ${slowestBackMs} ms after Kafka was back`] : [];
    const counts = { ackedCount, lostCount, repeatedCount, disorderedCount };
    return { kills: cycles, ...counts, slowestBackMs, problems: [...problems, ...late] };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await kafka.stop();
  }
}

/** @returns milliseconds from when Kafka answered again until something was delivered. */
async function killOnce(kafka: Kafka, gateway: GatewayProcess, random: SeededRandom): Promise<number> {
  await kafka.kill();
  await delay(random.between(0, MAX_AWAY_MS));
  await kafka.start();
  const startedAt = performance.now();
  await deliveredMore(gateway);
  return Math.round(performance.now() - startedAt);
}

async function deliveredMore(gateway: GatewayProcess): Promise<void> {
  const { delivered } = progress(gateway.dataDir);
  const moved = (): boolean => progress(gateway.dataDir).delivered > delivered;
  await waitFor(moved, { what: 'records to be delivered', timeoutMs: BACK_WAIT_MS, everyMs: 10 });
}

export const scenario = defineScenario({
  about:
    'Kafka killed at random moments under load: nothing is lost, order is kept, delivering again within ten seconds',
  usage: '[--cycles N] [--client C] [--seed S] [--control]',
  options: {
    cycles: wholeNumber(10, 'kills', 1),
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    control: flag('count as delivered what was only sent: records must be lost'),
  },
  run: async ({ cycles, client, control, seed, say }) => {
    const result = await runKafka({ cycles, client, control, seed, say });
    const { lostCount, problems } = result;
    const seen =
      lostCount > 0
        ? `as it must, the control lost ${lostCount} records`
        : 'FAIL: this run could not have noticed a loss';
    const passed = control ? lostCount > 0 : problems.length === 0;
    const lines = control ? [seen] : problems.map((problem) => `PROBLEM ${problem}`);
    return { passed, lines, json: { cycles, client, control, ...result } };
  },
});
