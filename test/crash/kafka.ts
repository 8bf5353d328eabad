/**
 * Kafka itself is killed at random moments under load, or of three brokers the leaders move: nothing that was acknowledged
 * is lost, order is kept, and delivery goes on by itself.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { SeededRandom } from '../support/random.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { deliveringAgain } from './delivering.ts';
import { drained } from './drained.ts';
import { Fleet } from './fleet.ts';
import type { FaultyKafka } from './kafka/faulty-kafka.ts';
import { oneBroker } from './kafka/one-broker.ts';
import { threeBrokers } from './kafka/three-brokers.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario, flag, type Run, wholeNumber } from './scenario.ts';
import { kafkaUplink, readTopics } from './sink.ts';

const BROKERS = { '1': oneBroker, '3': threeBrokers } as const;
type BrokerCount = keyof typeof BROKERS;
const BROKER_COUNTS: readonly BrokerCount[] = ['1', '3'];

interface KafkaRun extends Run {
  readonly brokers: BrokerCount;
  readonly cycles: number;
  readonly client: (typeof KAFKA_CLIENTS)[number];
  readonly control: boolean;
}

interface KafkaResult {
  readonly faults: Readonly<Record<string, number>>;
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly repeatedCount: number;
  readonly disorderedCount: number;
  /** Of all times from when Kafka could take records again until each stream was delivered. */
  readonly slowestBackMs: number;
  readonly problems: readonly string[];
}

const MESSAGES_PER_S = 100;
const BACK_WITHIN_MS = 10_000;
const CONFIRM_EARLY = ['--import', new URL('./kafka/confirm-early.ts', import.meta.url).href];

async function runKafka({ brokers, cycles, client, seed, control, say }: KafkaRun): Promise<KafkaResult> {
  const kafka = await BROKERS[brokers]();
  const uplink = { ...kafkaUplink(kafka.addresses, client), connectionTimeout: '2s', requestTimeout: '3s' };
  const gateway = await GatewayProcess.create({
    config: { uplinks: [uplink] },
    nodeOptions: control ? CONFIRM_EARLY : [],
  });
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: MESSAGES_PER_S });
  try {
    await gateway.start();
    fleet.start();
    await deliveringAgain(gateway);
    const { faults, slowestBackMs } = await playFaults(kafka, gateway, { cycles, seed, say });
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, readTopics(kafka.addresses.join(',')));
    const { ackedCount, lostCount, repeatedCount, disorderedCount } = verdict;
    const late = slowestBackMs > BACK_WITHIN_MS ? [`delivering only ${slowestBackMs} ms after Kafka was back`] : [];
    const counts = { ackedCount, lostCount, repeatedCount, disorderedCount };
    return { faults, ...counts, slowestBackMs, problems: [...problems, ...late] };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await kafka.remove();
  }
}

/** Its faults in turn. */
async function playFaults(
  kafka: FaultyKafka,
  gateway: GatewayProcess,
  { cycles, seed, say }: Pick<KafkaRun, 'cycles' | 'seed' | 'say'>,
): Promise<Pick<KafkaResult, 'faults' | 'slowestBackMs'>> {
  const random = new SeededRandom(seed);
  const faults = Object.entries(kafka.faults);
  const counts = Object.fromEntries(faults.map(([name]) => [name, 0]));
  let slowestBackMs = 0;
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    const [name, play] = faults[cycle % faults.length] ?? ['', () => Promise.resolve()];
    await delay(random.between(50, 1_000));
    await play(random);
    const backMs = await deliveringAgain(gateway);
    slowestBackMs = Math.max(slowestBackMs, backMs);
    counts[name] = (counts[name] ?? 0) + 1;
    say(`${cycle + 1} of ${cycles}: ${name}, delivering after ${backMs} ms`);
    if (backMs > BACK_WITHIN_MS) say(`the gateway's last lines:\n${gateway.logTail()}`);
    await kafka.heal();
  }
  return { faults: counts, slowestBackMs };
}

export const scenario = defineScenario({
  about:
    'Kafka killed, or the leaders of three brokers moved, under load: nothing is lost, order is kept, delivering again within ten seconds',
  usage: '[--brokers B] [--cycles N] [--client C] [--seed S] [--control]',
  options: {
    brokers: choice(
      BROKER_COUNTS,
      '1',
      'one that is killed, or three whose leaders are killed, stopped and elected in turn',
    ),
    cycles: wholeNumber(10, 'faults', 1),
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    control: flag('count as delivered what was only sent: records must be lost'),
  },
  run: async ({ brokers, cycles, client, control, seed, say }) => {
    const result = await runKafka({ brokers, cycles, client, control, seed, say });
    const { lostCount, problems } = result;
    const seen =
      lostCount > 0
        ? `as it must, the control lost ${lostCount} records`
        : 'FAIL: this run could not have noticed a loss';
    const passed = control ? lostCount > 0 : problems.length === 0;
    const lines = control ? [seen] : problems.map((problem) => `PROBLEM ${problem}`);
    return { passed, lines, json: { brokers, cycles, client, control, ...result } };
  },
});
