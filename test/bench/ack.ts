/**
 * How fast QoS 1 is acknowledged, in turn with mosquitto: 64 B, 20 clients with 20 messages in flight. Sluice has
 * synchronised every record to disk before its acknowledgement; mosquitto keeps nothing.
 */

import { spawnSync } from 'node:child_process';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type LoadResult, runLoad } from '../support/mqtt-load.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { startMosquitto } from './peers.ts';
import { type Usage, UsageWatch } from './process-usage.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';

export interface AckOptions {
  readonly rounds: number;
  readonly messages: number;
}

interface Round extends LoadResult, Usage {}

const WARM_UP_MESSAGES = 40_000;
const AIM_RATIO = 0.5;
/** Below this the generator, and not the broker, may be what was measured. */
const GENERATOR_MUST_REACH = 80_000;

export async function benchAck({ rounds, messages }: AckOptions): Promise<boolean> {
  const results = { sluice: [] as Round[], mosquitto: [] as Round[] };
  for (let round = 1; round <= rounds; round += 1) {
    for (const [peer, run] of [
      ['mosquitto', mosquitto],
      ['sluice', sluice],
    ] as const) {
      const result = await run(messages);
      results[peer].push(result);
      measured('ack', { peer, round, messages, ...result });
    }
  }
  return report(results.sluice, results.mosquitto);
}

async function load(port: number, pid: number, messages: number): Promise<Round> {
  const shape = { port, clientCount: 20, inFlight: 20, payloadBytes: 64 };
  await runLoad({ ...shape, messageCount: WARM_UP_MESSAGES });
  const watch = new UsageWatch([pid]);
  const result = await runLoad({ ...shape, messageCount: messages });
  return { ...result, ...watch.stop() };
}

async function sluice(messages: number): Promise<Round> {
  const gateway = await GatewayProcess.create({ build: 'launcher' });
  try {
    await gateway.start();
    const result = await load(gateway.mqttPort, gateway.pid ?? 0, messages);
    await gateway.stop('SIGTERM');
    const { problems, storedCount } = countStore(gateway.dataDir);
    const expected = messages + WARM_UP_MESSAGES;
    const missing = storedCount === expected ? [] : [`${storedCount} records stored, ${expected} acknowledged`];
    if (problems.length + missing.length > 0) throw new Error([...problems, ...missing].join('\n'));
    return result;
  } finally {
    await gateway.dispose();
  }
}

async function mosquitto(messages: number): Promise<Round> {
  const peer = await startMosquitto();
  try {
    const result = await load(peer.port, peer.pids[0] ?? 0, messages);
    const expected = messages + WARM_UP_MESSAGES;
    await waitFor(() => receivedBy(peer.port) >= expected, {
      what: `mosquitto to count ${expected}`,
      timeoutMs: 15_000,
    });
    return result;
  } finally {
    await peer.stop();
  }
}

/** PUBLISH packets that mosquitto says it received. */
function receivedBy(port: number): number {
  const topic = '$SYS/broker/publish/messages/received';
  const run = spawnSync('mosquitto_sub', ['-p', String(port), '-C', '1', '-W', '5', '-t', topic], { encoding: 'utf8' });
  return Number(run.stdout);
}

function report(sluiceRounds: readonly Round[], mosquittoRounds: readonly Round[]): boolean {
  const ours = median(sluiceRounds.map(({ ackedPerS }) => ackedPerS));
  const theirs = median(mosquittoRounds.map(({ ackedPerS }) => ackedPerS));
  const row = (name: string, of: readonly Round[], ratio: string, aim: string): string[] => [
    name,
    thousands(median(of.map(({ ackedPerS }) => ackedPerS))),
    `${median(of.map(({ p50Ms }) => p50Ms)).toFixed(1)} ms`,
    `${median(of.map(({ p99Ms }) => p99Ms)).toFixed(1)} ms`,
    `${median(of.map(({ peakRssMb }) => peakRssMb))} MB`,
    ratio,
    aim,
  ];
  const ratio = ours / theirs;
  const met = verdict(ratio, AIM_RATIO, 'higher');
  say(
    table(
      ['QoS 1, 64 B, 20 × 20 in flight', 'acked/s', 'p50', 'p99', 'peak RSS', 'ratio', `aim ≥ ${AIM_RATIO}`],
      [
        row('mosquitto, nothing on disk', mosquittoRounds, '1', ''),
        row('sluice, every record on disk', sluiceRounds, ratio.toFixed(2), met),
      ],
    ),
  );
  if (theirs >= GENERATOR_MUST_REACH) return met === 'met';
  say(
    `VOID: the generator reached only ${thousands(theirs)}/s on mosquitto, ${thousands(GENERATOR_MUST_REACH)} are needed`,
  );
  return false;
}
