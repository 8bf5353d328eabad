/** Attacks on a gateway that ten clients use as they should: what those notice, and what is left of it in memory. */

import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { UsageWatch } from '../../bench/process-usage.ts';
import type { GatewayProcess } from '../../support/gateway-process.ts';
import { type LoadResult, runLoad } from '../../support/mqtt-load.ts';
import { waitFor } from '../../support/wait-for.ts';
import type { AttackerData, AttackerMessage } from './attacker.ts';
import type { AttackName, Sights, Target } from './attacks.ts';
import { MAX_QUIET_P99_MS } from './slowness.ts';

export interface AttackResult {
  readonly attack: AttackName;
  readonly sights: Sights;
  /** Of the acknowledgements of those who mean well; null when they could not go on. */
  readonly p99Ms: number | null;
  readonly ackedCount: number;
  /** At the height of the attack, for each of its connections. */
  readonly kibPerConnection: number;
  /** What memory came down to when the attackers were gone. */
  readonly rssAfterMb: number;
  /** Of its connections, when all had gone. */
  readonly leftOpenCount: number;
  readonly crashed: boolean;
  /** The same without an attack, before and behind it, the larger one. */
  readonly quietP99Ms: number;
}

/** A gateway, and what is done to it. */
export interface Scene {
  readonly gateway: GatewayProcess;
  readonly target: Target;
  readonly run: {
    readonly seed: number;
    readonly packets: number;
    readonly idleClients: number;
    readonly rate: number;
    /** What is taken is never given back. */
    readonly control: boolean;
    readonly say: (line: string) => void;
  };
}

const WELL_MEANING = 10;
/** At another address than the attackers: at the same one they would wait behind them to be let in. */
const LOAD = {
  clientCount: WELL_MEANING,
  inFlight: 20,
  payloadBytes: 150,
  ratePerS: 400,
  prefix: 'well',
  from: '127.0.0.2',
} as const;
/** Client ids of those who mean well. */
export const VICTIMS = Array.from({ length: WELL_MEANING }, (_, index) => `load-${LOAD.prefix}${index}`);
/** How much of what it was before memory may be when all are gone. */
export const MAX_MEMORY = 1.2;
const WARM_UP_MS = 5_000;
const QUIET_MS = 2_500;
/** What they left is given back when all have gone for ten seconds and there is little else to do, or after a minute. */
const SETTLE_MS = 80_000;
const CONTROL_SETTLE_MS = 1_000;
const FALLING_MS = 1_000;
const MAX_ATTEMPTS = 30;

/** Of a process at ordinary work. */
export async function memoryAtWork(gateway: GatewayProcess): Promise<number> {
  return (await watched(gateway, WARM_UP_MS)).rssMb;
}

/** One attack after the other, and what it was like for those who mean well. */
export async function suffer(
  scene: Scene,
  attacks: readonly AttackName[],
  rssBeforeMb: number,
): Promise<AttackResult[]> {
  const { gateway, run } = scene;
  const back = { goalMb: rssBeforeMb * MAX_MEMORY, timeoutMs: run.control ? CONTROL_SETTLE_MS : SETTLE_MS };
  const results: AttackResult[] = [];
  let quietBefore = await quietP99(gateway);
  const socketCount = await lowest(() => gateway.socketCount, { goal: 0, timeoutMs: CONTROL_SETTLE_MS });
  for (const attack of attacks) {
    const seen = await attackOnce(attack, scene);
    const { p99Ms: quietBehind, crashed } = await quietAgain(gateway, quietBefore);
    const rssAfterMb = await settled(gateway, back);
    const stillOpen = await lowest(() => gateway.socketCount, { goal: socketCount, timeoutMs: back.timeoutMs });
    const leftOpenCount = Math.max(0, stillOpen - socketCount);
    const result = { ...seen, crashed, rssAfterMb, leftOpenCount, quietP99Ms: Math.max(quietBefore, quietBehind) };
    quietBefore = quietBehind;
    results.push(result);
    run.say(lineOf(result));
  }
  return results;
}

async function watched(gateway: GatewayProcess, ms: number): Promise<{ load: LoadResult; rssMb: number }> {
  const watch = new UsageWatch([gateway.pid ?? 0]);
  const load = await runLoad({ ...LOAD, port: gateway.mqttPort, signal: AbortSignal.timeout(ms) });
  return { load, rssMb: watch.stop().medianRssMb };
}

async function quietP99(gateway: GatewayProcess): Promise<number> {
  const { p99Ms } = (await watched(gateway, QUIET_MS)).load;
  return Number.isNaN(p99Ms) ? 0 : p99Ms;
}

async function attackOnce(
  attack: AttackName,
  { gateway, target, run }: Scene,
): Promise<Omit<AttackResult, 'quietP99Ms' | 'crashed' | 'rssAfterMb' | 'leftOpenCount'>> {
  const { seed, packets, idleClients, rate } = run;
  const workerData: AttackerData = { attack, seed, packets, idleClients, rate, target };
  const attacker = new Worker(new URL('./attacker.ts', import.meta.url), { workerData });
  // To load its code takes much of the machine, which is not what the attack does to others.
  const ended = once(attacker, 'exit').then(() => Promise.reject(new Error('the attacker ended before it was done')));
  await Promise.race([once(attacker, 'message'), ended]);
  const over = new AbortController();
  const rssBeforeMb = rssNowMb(gateway);
  let rssAtHeightMb = rssBeforeMb;
  const load = runLoad({ ...LOAD, port: gateway.mqttPort, signal: over.signal }).catch(() => undefined);
  const isSeen = delay(QUIET_MS);
  const done = new Promise<Sights>((resolve) => {
    attacker.on('message', (message: AttackerMessage) => {
      if (message.kind === 'reached') rssAtHeightMb = rssNowMb(gateway);
      else if (message.kind === 'done') resolve(message.sights);
    });
  });
  attacker.postMessage('go');
  const sights = await Promise.race([done, ended]);
  // However short the attack: others must have had enough to say.
  await isSeen;
  over.abort();
  const result = await load;
  const grownKib = ((rssAtHeightMb - rssBeforeMb) * 1e6) / 1024;
  return {
    attack,
    sights,
    p99Ms: result?.p99Ms ?? null,
    ackedCount: result?.ackedCount ?? 0,
    kibPerConnection: Math.round((grownKib / (sights['connections'] ?? 1)) * 10) / 10,
  };
}

/**
 * Ends with a gateway that serves, started again if need be: what waited in its sockets may bring it down later. Where it is
 * slower than before it is measured twice: what is left behind is given back in between, which is no ordinary life.
 */
async function quietAgain(
  gateway: GatewayProcess,
  beforeMs: number,
): Promise<{ readonly p99Ms: number; readonly crashed: boolean }> {
  let crashed = false;
  for (let attempt = 1; ; attempt += 1) {
    try {
      const p99Ms = await quietP99(gateway);
      return { p99Ms: p99Ms <= 2 * beforeMs ? p99Ms : Math.min(p99Ms, await quietP99(gateway)), crashed };
    } catch (error) {
      if (attempt === MAX_ATTEMPTS) throw error;
    }
    if (!(await hasFallen(gateway))) continue;
    crashed = true;
    await gateway.start();
  }
}

/** The end of a process is heard of a little later than that of its connections. */
function hasFallen(gateway: GatewayProcess): Promise<boolean> {
  return Promise.race([gateway.exited().then(() => true), delay(FALLING_MS, false)]);
}

function rssNowMb(gateway: GatewayProcess): number {
  return gateway.pid === undefined ? 0 : new UsageWatch([gateway.pid]).stop().peakRssMb;
}

/** Memory when all are gone and ordinary life goes on: what it comes down to within the time. */
async function settled(
  gateway: GatewayProcess,
  { goalMb, timeoutMs }: { readonly goalMb: number; readonly timeoutMs: number },
): Promise<number> {
  const over = new AbortController();
  const load = runLoad({ ...LOAD, port: gateway.mqttPort, signal: over.signal });
  const lowestMb = await lowest(() => rssNowMb(gateway), { goal: goalMb, timeoutMs });
  over.abort();
  await load;
  return lowestMb;
}

/** What it comes down to until it is no more than the goal, or the time is over. */
async function lowest(look: () => number, { goal, timeoutMs }: { goal: number; timeoutMs: number }): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const isDown = (): boolean => {
    least = Math.min(least, look());
    return least <= goal;
  };
  await waitFor(isDown, { what: 'it to come down', timeoutMs, everyMs: 500 }).catch(() => undefined);
  return least;
}

function lineOf(result: AttackResult): string {
  const { attack, sights, p99Ms, quietP99Ms, kibPerConnection, rssAfterMb, leftOpenCount, crashed } = result;
  const seen = Object.entries(sights).map(([name, count]) => `${count} ${name}`);
  const unjudged = quietP99Ms > MAX_QUIET_P99_MS ? ' (a machine too busy to tell who is slow)' : '';
  const waiting = `p99 of others ${p99Ms ?? 'unknown'} ms, without ${quietP99Ms} ms${unjudged}`;
  return `${attack}: ${seen.join(', ')}, ${waiting}, ${kibPerConnection} KiB a connection, ${rssAfterMb} MB, ${leftOpenCount} left open${crashed ? ', CRASHED' : ''}`;
}
