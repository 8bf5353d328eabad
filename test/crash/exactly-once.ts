/**
 * What can happen to the gateway, to Kafka and to the network between them, at random moments under load: kills, frozen and
 * cut networks, and records that Kafka can never take; or, of three brokers, those that coordinate transactions or lead
 * partitions go. A reader of `read_committed` must see each acknowledged record once, in order.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '../../src/core/errors.ts';
import { TRANSACTION_TIMEOUT_MS } from '../../src/uplink/kafka/kafka-client.ts';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { SeededRandom } from '../support/random.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { countStore } from '../support/verify.ts';
import { deliveringAgain } from './delivering.ts';
import { drained } from './drained.ts';
import { oneBroker } from './exactly-once/one-broker.ts';
import type { Fault, Scene, Surroundings } from './exactly-once/surroundings.ts';
import { threeBrokers } from './exactly-once/three-brokers.ts';
import { Fleet } from './fleet.ts';
import type { Verdict } from './judge.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario, flag, wholeNumber } from './scenario.ts';
import { kafkaUplink, ORDERS, type Order, ordered, readTopics } from './sink.ts';

const BROKERS = { '1': oneBroker, '3': threeBrokers } as const;
type BrokerCount = keyof typeof BROKERS;
const BROKER_COUNTS: readonly BrokerCount[] = ['1', '3'];

interface RunOptions {
  readonly brokers: BrokerCount;
  readonly cycles: number;
  readonly client: KafkaClientName;
  readonly order: Order;
  readonly control: boolean;
  readonly seed: number;
  readonly say: (line: string) => void;
}

/** Of each device: in each transaction there are some, and a machine of two cores has time for the faults. */
const MESSAGES_PER_S = 75;
/** A frozen network may have to be found out first. */
const BACK_WITHIN_MS = 10_000;
/** What a gateway leaves open is over by then, also at a broker that looks every ten seconds. */
const LEFT_OPEN_MS = TRANSACTION_TIMEOUT_MS + 12_000;
/** From so many cycles on a run plays each fault that is sure. */
const LONG_RUN = 20;

interface Faults {
  readonly faults: Readonly<Record<string, number>>;
  /** Of all times from the end of a fault until each stream was delivered. */
  readonly slowestBackMs: number;
}

interface Result extends Faults {
  readonly verdict: Verdict;
  readonly rejectedCount: number;
  /** Empty when every promise was kept. */
  readonly problems: readonly string[];
}

async function runExactlyOnce(options: RunOptions): Promise<Result> {
  const surroundings = await BROKERS[options.brokers]();
  const uplink = {
    ...kafkaUplink(surroundings.addresses, options.client),
    delivery: options.control ? 'at_least_once' : 'exactly_once',
    ...ordered(options.order, { maxBytes: '128KiB' }),
    connectionTimeout: '2s',
    requestTimeout: '10s',
  };
  const gateway = await GatewayProcess.create({ config: { uplinks: [uplink] } });
  const fleet = new Fleet({
    port: gateway.mqttPort,
    seed: options.seed,
    messagesPerS: MESSAGES_PER_S,
  });
  try {
    await gateway.start();
    fleet.start();
    const random = new SeededRandom(options.seed);
    const scene = { gateway, random, isTransactional: !options.control, poisonCount: 0 };
    const faults = await playFaults(scene, surroundings, options);
    await fleet.finish();
    // What did arrive is judged all the same.
    const stuck = await drained(gateway).then(
      () => [],
      (error: unknown) => [messageOf(error)],
    );
    const isGivenUp = stuck.length > 0;
    await gateway.stop('SIGTERM');
    if (isGivenUp) await delay(LEFT_OPEN_MS);
    for (const problem of stuck) options.say(problem);
    const judged = await judge(scene, fleet, { bootstrap: surroundings.bootstrap, isGivenUp });
    const late = faults.slowestBackMs > BACK_WITHIN_MS ? [`delivering only after ${faults.slowestBackMs} ms`] : [];
    return { ...faults, ...judged, problems: [...stuck, ...judged.problems, ...late] };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await surroundings.remove();
  }
}

/** Ends with a gateway that is ready, and a Kafka that can be reached. */
async function playFaults(
  scene: Scene,
  surroundings: Surroundings,
  { cycles, say }: Pick<RunOptions, 'cycles' | 'say'>,
): Promise<Faults> {
  const { random, gateway } = scene;
  const counts = new Map<string, number>();
  let slowestBackMs = 0;
  const sure = sureFaults(random, surroundings.faults, cycles);
  await deliveringAgain(gateway);
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    await delay(random.between(10, 500));
    const [name, fault] = sure.get(cycle) ?? choose(random, surroundings.faults);
    await fault.play(scene);
    // Else the next fault may come before forwarding has begun again, and hit nothing.
    const backMs = await deliveringAgain(gateway);
    slowestBackMs = Math.max(slowestBackMs, backMs);
    await surroundings.heal();
    counts.set(name, (counts.get(name) ?? 0) + 1);
    say(`${cycle} of ${cycles}: ${name}, delivering after ${backMs} ms`);
  }
  return { faults: Object.fromEntries(counts), slowestBackMs };
}

type Named = readonly [string, Fault];

/** By the cycle in which each has its turn. */
function sureFaults(random: SeededRandom, faults: Surroundings['faults'], cycles: number): ReadonlyMap<number, Named> {
  const sure = cycles < LONG_RUN ? [] : Object.entries(faults).filter(([, { isSure }]) => isSure);
  const turns = new Map<number, Named>();
  for (const fault of sure) {
    let cycle = random.between(1, cycles);
    while (turns.has(cycle)) cycle = random.between(1, cycles);
    turns.set(cycle, fault);
  }
  return turns;
}

function choose(random: SeededRandom, faults: Surroundings['faults']): Named {
  const all = Object.entries(faults);
  const total = all.reduce((sum, [, { share }]) => sum + share, 0);
  let left = random.between(1, total);
  const chosen = all.find(([, { share }]) => {
    left -= share;
    return left <= 0;
  });
  if (chosen === undefined) throw new Error('nothing can happen');
  return chosen;
}

async function judge(
  { gateway, poisonCount }: Scene,
  fleet: Fleet,
  { bootstrap, isGivenUp }: { readonly bootstrap: string; readonly isGivenUp: boolean },
): Promise<Omit<Result, keyof Faults>> {
  const { verdict, problems } = await judgeRun(gateway, fleet, readTopics(bootstrap), { isGivenUp });
  const { lanes } = countStore(gateway.dataDir);
  const rejectedCount = lanes.reduce((sum, lane) => sum + lane.rejectedCount, 0);
  const found = [...problems];
  if (verdict.repeatedCount > 0) found.push(`${verdict.repeatedCount} records arrived more than once`);
  // Some may still stand in the store of a run that was given up.
  if (rejectedCount > poisonCount || (rejectedCount < poisonCount && !isGivenUp))
    found.push(`${poisonCount} poison records acknowledged, ${rejectedCount} rejected`);
  return { verdict, rejectedCount, problems: found };
}

export const scenario = defineScenario({
  about:
    'kills of the gateway and of Kafka, frozen and cut networks, poison records, or three brokers whose coordinators go: a reader of read_committed sees each record once',
  usage: '[--brokers B] [--cycles N] [--client C] [--order O] [--seed S] [--control]',
  options: {
    brokers: choice(
      BROKER_COUNTS,
      '1',
      'one behind a bad network, or three of which the one that coordinates transactions, or leads, goes',
    ),
    cycles: wholeNumber(60, 'faults', 1),
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    order: choice(ORDERS, 'strict', 'whether fresh records pass the backlog'),
    control: flag('deliver at least once: records must arrive more than once'),
  },
  run: async ({ brokers, cycles, client, order, control, seed, say }) => {
    const options = { brokers, cycles, client, order, control };
    const { verdict: whole, problems, ...result } = await runExactlyOnce({ ...options, seed, say });
    const { lostExamples: _, lostByDevice: __, storedTwiceCount: ___, ...verdict } = whole;
    const json = { ...options, ...result, verdict, problems };
    if (!control) {
      return { passed: problems.length === 0, lines: problems.map((problem) => `PROBLEM ${problem}`), json };
    }
    const isSeen = verdict.repeatedCount > 0;
    const line = isSeen
      ? `as it must, the control has ${verdict.repeatedCount} records more than once`
      : 'FAIL: this run could not have noticed any repeat';
    return { passed: isSeen, lines: [line], json };
  },
});
