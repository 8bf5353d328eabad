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
import { progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario } from './scenario.ts';
import { kafkaUplink, readTopics } from './sink.ts';

interface AwayOptions {
  readonly seed: number;
  readonly client: KafkaClientName;
  readonly say: (line: string) => void;
}

interface AwayResult {
  readonly name: string;
  readonly awayMs: number;
  /** From the moment Kafka can be reached until the first record is delivered. */
  readonly deliveringAfterMs: number;
  /** The same until everything that had piled up is delivered. */
  readonly drainedAfterMs: number;
  readonly ackedCount: number;
  readonly repeatedCount: number;
  readonly problems: readonly string[];
}

interface Scene {
  readonly kafka: Kafka;
  readonly relay: TcpRelay;
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

const ABSENCES: readonly Absence[] = [
  {
    name: 'absent at start',
    awayMs: 5000,
    absentAtStart: true,
    leave: () => {},
    comeBack: ({ kafka }) => kafka.start(),
  },
  {
    name: 'killed and restarted',
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
];

async function resetOften({ relay }: Scene): Promise<void> {
  for (let count = 0; count < 20; count += 1) {
    relay.reset();
    await delay(100);
  }
}

async function runAway({ seed, client, say }: AwayOptions): Promise<AwayResult[]> {
  const results: AwayResult[] = [];
  for (const absence of ABSENCES) {
    const result = await play(absence, { seed, client });
    results.push(result);
    say(
      `${result.problems.length === 0 ? 'ok  ' : 'FAIL'} ${absence.name}: delivering after ${result.deliveringAfterMs} ms, ` +
        `drained after ${result.drainedAfterMs} ms, ${result.ackedCount} acknowledged, ${result.repeatedCount} repeated`,
    );
  }
  return results;
}

async function play(absence: Absence, { seed, client }: Omit<AwayOptions, 'say'>): Promise<AwayResult> {
  const relayPort = await freePort();
  const kafka = await prepareKafka({ advertisedPort: relayPort });
  const relay = await startTcpRelay(kafka.relayTarget, relayPort);
  const uplink = { ...kafkaUplink(`127.0.0.1:${relayPort}`, client), connectionTimeout: '2s', requestTimeout: '3s' };
  const gateway = await GatewayProcess.create({
    config: { uplinks: [{ ...uplink, backoff: { initial: '100ms', max: '2s' } }] },
  });
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: 100 });
  try {
    if (absence.absentAtStart !== true) await kafka.start();
    await gateway.start();
    fleet.start();
    if (absence.absentAtStart !== true) await deliveredBeyond(gateway, 1000);
    const times = await goAndComeBack(absence, { kafka, relay }, gateway);
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, readTopics(kafka.bootstrap));
    return {
      name: absence.name,
      awayMs: absence.awayMs,
      ...times,
      ackedCount: verdict.ackedCount,
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

interface Times {
  readonly deliveringAfterMs: number;
  readonly drainedAfterMs: number;
}

async function goAndComeBack(absence: Absence, scene: Scene, gateway: GatewayProcess): Promise<Times> {
  await absence.leave(scene);
  await delay(absence.awayMs);
  await absence.comeBack(scene);
  const backAt = performance.now();
  await deliveredBeyond(gateway, progress(gateway.dataDir).delivered);
  const deliveringAfterMs = Math.round(performance.now() - backAt);
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
  about: 'Kafka away in every way that was met: nothing is lost, and delivery goes on by itself within ten seconds',
  usage: '[--client C] [--seed S]',
  options: { client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka') },
  run: async ({ seed, client, say }) => {
    const results = await runAway({ seed, client, say });
    const lines = results.flatMap(({ name, problems }) => problems.map((problem) => `PROBLEM ${name}: ${problem}`));
    return { passed: lines.length === 0, lines, json: { client, results } };
  },
});
