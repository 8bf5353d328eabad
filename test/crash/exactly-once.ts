/**
 * Kills of the gateway and of Kafka, frozen and cut networks, and records that Kafka can never take, at random moments
 * under load. A reader of `read_committed` must see each acknowledged record once, in order.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { SeededRandom } from '../support/random.ts';
import { startTcpRelay, type TcpRelay } from '../support/tcp-relay.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { countStore, progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './fleet.ts';
import type { Verdict } from './judge.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario, flag, wholeNumber } from './scenario.ts';
import { kafkaUplink, ORDERS, type Order, ordered, readTopics } from './sink.ts';

interface RunOptions {
  readonly cycles: number;
  readonly client: KafkaClientName;
  readonly order: Order;
  readonly control: boolean;
  readonly seed: number;
  readonly say: (line: string) => void;
}

interface Scene {
  readonly kafka: Kafka;
  readonly relay: TcpRelay;
  readonly gateway: GatewayProcess;
  readonly random: SeededRandom;
  /** Acknowledged records that Kafka can never take. */
  poisonCount: number;
}

interface Fault {
  /** Of a hundred. */
  readonly share: number;
  play(scene: Scene): Promise<void>;
}

const DRAIN_TIMEOUT_MS = 120_000;
const RECOVERY_TIMEOUT_MS = 60_000;
/** Of a record batch, at Kafka. */
const MAX_MESSAGE_BYTES = 200_000;
const POISON = 'x'.repeat(MAX_MESSAGE_BYTES + 10_000);
/** A little longer than a transaction may last. */
const LONG_FREEZE_MS = 11_000;
const LONG_FREEZE_SHARE = 0.08;

const FAULTS = {
  'gateway killed': { share: 35, play: ({ gateway }) => killGateway(gateway) },
  'Kafka killed': { share: 10, play: ({ kafka }) => kafka.restart() },
  'network frozen': {
    share: 13,
    play: async ({ relay, random }) => {
      relay.freeze();
      await delay(random.chance(LONG_FREEZE_SHARE) ? LONG_FREEZE_MS : random.between(50, 1_500));
      relay.thaw();
    },
  },
  'gateway killed while the network was frozen': {
    share: 12,
    play: async ({ relay, random, gateway }) => {
      relay.freeze();
      await delay(random.between(20, 300));
      await killGateway(gateway);
      relay.thaw();
    },
  },
  'connections cut': { share: 10, play: async ({ relay }) => relay.reset() },
  'poison records': { share: 20, play: poison },
} as const satisfies Readonly<Record<string, Fault>>;
type FaultName = keyof typeof FAULTS;

interface Result {
  readonly verdict: Verdict;
  readonly faults: Readonly<Record<string, number>>;
  readonly rejectedCount: number;
  /** Empty when every promise was kept. */
  readonly problems: readonly string[];
}

async function runExactlyOnce(options: RunOptions): Promise<Result> {
  const relayPort = await freePort();
  const kafka = await startKafka({
    advertisedPort: relayPort,
    extraProperties: { 'message.max.bytes': MAX_MESSAGE_BYTES },
  });
  const relay = await startTcpRelay(kafka.relayTarget, relayPort);
  const uplink = {
    ...kafkaUplink(`127.0.0.1:${relayPort}`, options.client),
    delivery: options.control ? 'at_least_once' : 'exactly_once',
    ...ordered(options.order, { maxBytes: '128KiB' }),
    connectionTimeout: '2s',
    requestTimeout: '10s',
  };
  const gateway = await GatewayProcess.create({ config: { uplinks: [uplink] } });
  const fleet = new Fleet({ port: gateway.mqttPort, seed: options.seed, messagesPerS: 300 });
  try {
    await gateway.start();
    fleet.start();
    const scene = { kafka, relay, gateway, random: new SeededRandom(options.seed), poisonCount: 0 };
    const faults = await playFaults(scene, options);
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    return { ...(await judge(scene, fleet)), faults };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await relay.close();
    await kafka.stop();
  }
}

/** Ends with a gateway that is ready, and a Kafka that can be reached. */
async function playFaults(scene: Scene, { cycles, say }: RunOptions): Promise<Readonly<Record<string, number>>> {
  const { random, gateway } = scene;
  const counts = new Map<string, number>();
  let delivered = 0;
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    // Else the next fault may come before forwarding has begun again, and hit nothing.
    await deliveredMore(gateway, delivered);
    await delay(random.between(10, 500));
    const name = choose(random);
    await FAULTS[name].play(scene);
    counts.set(name, (counts.get(name) ?? 0) + 1);
    delivered = progress(gateway.dataDir).delivered;
    if (cycle % 20 === 0) say(`${cycle} of ${cycles} faults, ${delivered} delivered`);
  }
  return Object.fromEntries(counts);
}

function choose(random: SeededRandom): FaultName {
  const names = Object.keys(FAULTS) as FaultName[];
  let left = random.between(
    1,
    names.reduce((sum, name) => sum + FAULTS[name].share, 0),
  );
  const chosen = names.find((name) => {
    left -= FAULTS[name].share;
    return left <= 0;
  });
  return chosen ?? 'gateway killed';
}

async function killGateway(gateway: GatewayProcess): Promise<void> {
  await gateway.stop('SIGKILL');
  await gateway.start();
}

/** Both lanes get some: a record that is larger than the topic takes. */
async function poison(scene: Scene): Promise<void> {
  const { gateway, random } = scene;
  for (let left = random.between(1, 3); left > 0; left -= 1) {
    const path = random.chance(0.5) ? 'events/huge' : 'telemetry';
    const { status } = await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/devices/poison/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ text: POISON }),
    });
    if (status !== 202) throw new Error(`a poison record was answered ${status}`);
    scene.poisonCount += 1;
  }
}

async function deliveredMore(gateway: GatewayProcess, than: number): Promise<void> {
  await waitFor(() => progress(gateway.dataDir).delivered > than, {
    what: 'something to be delivered after a fault',
    timeoutMs: RECOVERY_TIMEOUT_MS,
    everyMs: 100,
  });
}

async function drained(gateway: GatewayProcess): Promise<void> {
  await waitFor(() => progress(gateway.dataDir).pending === 0, {
    what: 'everything pending to be delivered',
    timeoutMs: DRAIN_TIMEOUT_MS,
    everyMs: 100,
  });
}

async function judge(scene: Scene, fleet: Fleet): Promise<Omit<Result, 'faults'>> {
  const { gateway, kafka, poisonCount } = scene;
  const { verdict, problems } = await judgeRun(gateway, fleet, readTopics(kafka.bootstrap));
  const { lanes } = countStore(gateway.dataDir);
  const rejectedCount = lanes.reduce((sum, lane) => sum + lane.rejectedCount, 0);
  const found = [...problems];
  if (verdict.repeatedCount > 0) found.push(`${verdict.repeatedCount} records arrived more than once`);
  if (rejectedCount !== poisonCount)
    found.push(`${poisonCount} poison records acknowledged, ${rejectedCount} rejected`);
  return { verdict, rejectedCount, problems: found };
}

export const scenario = defineScenario({
  about:
    'kills of the gateway and of Kafka, frozen and cut networks, poison records: a reader of read_committed sees each record once',
  usage: '[--cycles N] [--client C] [--order O] [--seed S] [--control]',
  options: {
    cycles: wholeNumber(60, 'faults', 1),
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    order: choice(ORDERS, 'strict', 'whether fresh records pass the backlog'),
    control: flag('deliver at least once: records must arrive more than once'),
  },
  run: async ({ cycles, client, order, control, seed, say }) => {
    const { verdict: whole, problems, ...result } = await runExactlyOnce({ cycles, client, order, control, seed, say });
    const { lostExamples: _, lostByDevice: __, storedTwiceCount: ___, ...verdict } = whole;
    const json = { cycles, client, order, control, ...result, verdict, problems };
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
