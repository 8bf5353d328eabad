/**
 * Kafka away in every way that was met: the gateway goes on accepting, loses nothing, keeps the order, and delivers
 * again soon after Kafka is back, without anybody's help.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, prepareKafka } from '../support/kafka.ts';
import { startTcpRelay, type TcpRelay } from '../support/tcp-relay.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { type Arrival, progress, readKafka } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { deliveringAgain } from './delivering.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario, flag } from './scenario.ts';
import { kafkaUplink, readTopics } from './sink.ts';

interface AwayOptions {
  readonly seed: number;
  readonly client: KafkaClientName;
  /** A gateway to which what was sent counts as delivered. */
  readonly control: boolean;
  readonly say: (line: string) => void;
}

interface AwayResult {
  readonly name: string;
  readonly awayMs: number;
  /** From the moment Kafka can be reached until records of each stream are delivered. */
  readonly deliveringAfterMs: number;
  /** The same until everything that had piled up is delivered. */
  readonly drainedAfterMs: number;
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly repeatedCount: number;
  readonly problems: readonly string[];
}

interface Scene {
  readonly kafka: Kafka;
  readonly relay: TcpRelay;
  readonly gateway: GatewayProcess;
  /** What had arrived in a topic that was deleted then. */
  readonly deleted: Arrival[];
}

interface Absence {
  readonly name: string;
  readonly awayMs: number;
  /** Kafka is not there yet when the gateway starts. */
  readonly absentAtStart?: boolean;
  leave(scene: Scene): Promise<void> | void;
  comeBack(scene: Scene): Promise<void> | void;
}

const BACK_WITHIN_MS = 10_000;
const WAIT_MS = 90_000;
const DELETED_TOPIC = 'sluice.telemetry';
const CONFIRM_EARLY = ['--import', new URL('./kafka/confirm-early.ts', import.meta.url).href];
/** What is sent meanwhile is lost for sure. */
const OF_THE_CONTROL = 'killed and restarted';

const ABSENCES: readonly Absence[] = [
  {
    name: 'absent at start',
    awayMs: 5000,
    absentAtStart: true,
    leave: () => {},
    comeBack: ({ kafka }) => kafka.start(),
  },
  {
    name: OF_THE_CONTROL,
    awayMs: 2000,
    leave: ({ kafka }) => kafka.kill(),
    comeBack: ({ kafka }) => kafka.start(),
  },
  {
    name: 'frozen without FIN',
    awayMs: 6000,
    leave: ({ relay }) => relay.freeze(),
    comeBack: ({ relay }) => relay.thaw(),
  },
  { name: 'connections forgotten without FIN', awayMs: 0, leave: ({ relay }) => relay.blackhole(), comeBack: () => {} },
  { name: 'refused', awayMs: 4000, leave: ({ relay }) => relay.refuse(), comeBack: ({ relay }) => relay.accept() },
  { name: 'reset again and again', awayMs: 3000, leave: resetOften, comeBack: () => {} },
  {
    name: 'away until back-off is at its cap',
    awayMs: 20_000,
    leave: ({ relay }) => relay.refuse(),
    comeBack: ({ relay }) => relay.accept(),
  },
  {
    name: 'its topic deleted',
    awayMs: 0,
    leave: deleteTopic,
    comeBack: ({ gateway }) => tell(gateway, 'resume'),
  },
];

async function resetOften({ relay }: Scene): Promise<void> {
  for (let count = 0; count < 20; count += 1) {
    relay.reset();
    await delay(100);
  }
}

/** Read while nothing is on its way: what it has held is judged all the same. */
async function deleteTopic({ kafka, gateway, deleted }: Scene): Promise<void> {
  await tell(gateway, 'pause');
  for await (const arrival of readKafka(kafka.bootstrap, DELETED_TOPIC)) deleted.push(arrival);
  await kafka.deleteTopic(DELETED_TOPIC);
}

async function tell(gateway: GatewayProcess, what: 'pause' | 'resume'): Promise<void> {
  const url = `http://127.0.0.1:${gateway.apiPort}/v1/uplinks/sink/${what}`;
  const { ok, status } = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(WAIT_MS) });
  if (!ok) throw new Error(`${what} was answered ${status}`);
}

async function runAway({ seed, client, control, say }: AwayOptions): Promise<AwayResult[]> {
  const results: AwayResult[] = [];
  for (const absence of ABSENCES.filter(({ name }) => !control || name === OF_THE_CONTROL)) {
    const result = await play(absence, { seed, client, control });
    results.push(result);
    say(
      `${result.problems.length === 0 ? 'ok  ' : 'FAIL'} ${absence.name}: delivering after ${result.deliveringAfterMs} ms, ` +
        `drained after ${result.drainedAfterMs} ms, ${result.ackedCount} acknowledged, ${result.repeatedCount} repeated`,
    );
  }
  return results;
}

async function play(absence: Absence, { seed, client, control }: Omit<AwayOptions, 'say'>): Promise<AwayResult> {
  const relayPort = await freePort();
  const kafka = await prepareKafka({ advertisedPort: relayPort });
  const relay = await startTcpRelay(kafka.relayTarget, relayPort);
  const uplink = { ...kafkaUplink(`127.0.0.1:${relayPort}`, client), connectionTimeout: '2s', requestTimeout: '3s' };
  const gateway = await GatewayProcess.create({
    config: { uplinks: [{ ...uplink, backoff: { initial: '100ms', max: '2s' } }] },
    nodeOptions: control ? CONFIRM_EARLY : [],
  });
  const deleted: Arrival[] = [];
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: 100 });
  try {
    if (absence.absentAtStart !== true) await kafka.start();
    await gateway.start();
    fleet.start();
    if (absence.absentAtStart !== true) await deliveredBeyond(gateway, 1000);
    const times = await goAndComeBack(absence, { kafka, relay, gateway, deleted });
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, arrivals(deleted, kafka));
    return {
      name: absence.name,
      awayMs: absence.awayMs,
      ...times,
      ackedCount: verdict.ackedCount,
      lostCount: verdict.lostCount,
      repeatedCount: verdict.repeatedCount,
      problems:
        times.deliveringAfterMs > BACK_WITHIN_MS
          ? [...problems, `delivering only ${times.deliveringAfterMs} ms after Kafka was back`]
          : problems,
    };
  } catch (cause) {
    throw new Error(`"${absence.name}" broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await relay.close();
    await kafka.stop();
  }
}

async function* arrivals(deleted: readonly Arrival[], kafka: Kafka): AsyncGenerator<Arrival> {
  yield* deleted;
  yield* readTopics(kafka.bootstrap);
}

interface Times {
  readonly deliveringAfterMs: number;
  readonly drainedAfterMs: number;
}

async function goAndComeBack(absence: Absence, scene: Scene): Promise<Times> {
  const { gateway } = scene;
  await absence.leave(scene);
  await delay(absence.awayMs);
  await absence.comeBack(scene);
  const backAt = performance.now();
  const deliveringAfterMs = await deliveringAgain(gateway);
  // Under load there is always something pending; a twentieth of a second's worth is none.
  await waitFor(() => progress(gateway.dataDir).pending < 100, { what: 'the backlog to go', timeoutMs: WAIT_MS });
  return { deliveringAfterMs, drainedAfterMs: Math.round(performance.now() - backAt) };
}

async function deliveredBeyond(gateway: GatewayProcess, count: number): Promise<void> {
  const moved = (): boolean => progress(gateway.dataDir).delivered > count;
  await waitFor(moved, { what: 'records to be delivered', timeoutMs: WAIT_MS, everyMs: 10 });
}

async function drained(gateway: GatewayProcess): Promise<void> {
  const empty = (): boolean => progress(gateway.dataDir).pending === 0;
  await waitFor(empty, { what: 'everything pending to be delivered', timeoutMs: WAIT_MS, everyMs: 50 });
}

export const scenario = defineScenario({
  about:
    'Kafka away in every way that was met, or its topic deleted: nothing is lost, and delivery goes on by itself within ten seconds',
  usage: '[--client C] [--seed S] [--control]',
  options: {
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    control: flag('count as delivered what was only sent: records must be lost'),
  },
  run: async ({ seed, client, control, say }) => {
    const results = await runAway({ seed, client, control, say });
    const json = { client, control, results };
    if (!control) {
      const lines = results.flatMap(({ name, problems }) => problems.map((problem) => `PROBLEM ${name}: ${problem}`));
      return { passed: lines.length === 0, lines, json };
    }
    const lostCount = results.reduce((sum, result) => sum + result.lostCount, 0);
    const seen = `as it must, the control lost ${lostCount} records`;
    const line = lostCount > 0 ? seen : 'FAIL: this run could not have noticed a loss';
    return { passed: lostCount > 0, lines: [line], json };
  },
});
