/**
 * Clients that are broken, careless or hostile, beside ten that mean well: the gateway must not fall, those ten must
 * not wait, and nothing may be left behind in memory or open.
 */

import { sluice } from '../support/command-line.ts';
import { freePort } from '../support/free-port.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { countStore } from '../support/verify.ts';
import { ATTACKS, type AttackName, OVERSIZE_BYTES, type Target } from './mqtt/attacks.ts';
import { judgeSlowness, type Slowness, slownessLine } from './mqtt/slowness.ts';
import { type AttackResult, MAX_MEMORY, memoryAtWork, type Scene, suffer, VICTIMS } from './mqtt/suffer.ts';
import { choice, defineScenario, flag, type Run, wholeNumber } from './scenario.ts';

interface MqttRun extends Run {
  readonly packets: number;
  readonly idleClients: number;
  readonly rate: number;
  /** `mqtt.maxConnectRate` while `CROWDS` come. */
  readonly connectRate: number;
  /** An acknowledgement within it is not slow. */
  readonly slowMs: number;
  readonly attack: AttackName | 'all';
  readonly control: boolean;
}

interface MqttResult {
  readonly rssBeforeMb: number;
  /** Of a new process with the same data: sessions and retained messages that were left are no leak. */
  readonly rssAnewMb: number;
  readonly attacks: readonly AttackResult[];
  readonly slowness: Slowness;
  readonly problems: Readonly<Record<Fault, readonly string[]>>;
}

const FAULTS = ['fell', 'slow', 'memory', 'left', 'door', 'theft', 'store'] as const;
type Fault = (typeof FAULTS)[number];

/** More than are let in within a minute by default; what waits at the door when its client leaves has tried nothing. */
const CROWDS: ReadonlySet<AttackName> = new Set(['mutants', 'idle']);
/** That a broker without a doorkeeper is slow, keeps memory and connections, takes too much, gives names away; in the end it falls. */
const CONTROL_ATTACKS: readonly AttackName[] = ['silent', 'oversize', 'id-theft', 'mutants'];
const CONNECT_TIMEOUT = '4s';
const MAX_KIB_BEFORE_CONNECT = 16;
const MAX_TAKEN_BYTES = OVERSIZE_BYTES / 2;
const GULLIBLE = ['--import', new URL('./mqtt/gullible.ts', import.meta.url).href];

async function runMqtt(run: MqttRun): Promise<MqttResult> {
  const gateway = await GatewayProcess.create(
    run.control ? { nodeOptions: ['--expose-gc', ...GULLIBLE] } : { build: 'launcher' },
  );
  const target = targetOf(gateway, await freePort());
  const scene = { gateway, target, run };
  try {
    const attacks: AttackResult[] = [];
    const rssMb: number[] = [];
    for (const phase of phasesOf(run)) {
      rssMb.push(await startAnew(scene, phase));
      if (phase.attacks.includes('id-theft')) letThiefIn(scene);
      attacks.push(...(await suffer(scene, phase.attacks, rssMb.at(-1) ?? 0)));
      await gateway.stop('SIGTERM');
    }
    rssMb.push(await startAnew(scene));
    await gateway.stop('SIGTERM');
    const [rssBeforeMb = 0, ...anew] = rssMb;
    const figures = { rssBeforeMb, rssAnewMb: Math.max(...anew), attacks, slowness: judgeSlowness(attacks, run) };
    return { ...figures, problems: { ...problemsOf(figures), store: countStore(gateway.dataDir).problems } };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    await gateway.dispose();
  }
}

/** Attacks on one process. */
interface Phase {
  readonly attacks: readonly AttackName[];
  /** `mqtt.maxConnectRate`, where it is not the default. */
  readonly connectRate?: number;
}

function phasesOf({ attack, connectRate, control }: MqttRun): readonly Phase[] {
  if (control) return [{ attacks: attack === 'all' ? CONTROL_ATTACKS : [attack], connectRate: 0 }];
  const chosen = attack === 'all' ? ATTACKS : [attack];
  const phases = [
    { attacks: chosen.filter((name) => CROWDS.has(name)), connectRate },
    { attacks: chosen.filter((name) => !CROWDS.has(name)) },
  ];
  return phases.filter(({ attacks }) => attacks.length > 0);
}

function targetOf(gateway: GatewayProcess, lockedPort: number): Target {
  const thief = { username: 'thief', password: 'a secret of its own' };
  return { port: gateway.mqttPort, lockedPort, victims: VICTIMS, thief };
}

/** Resolves to the memory of the new process at ordinary work. */
async function startAnew({ gateway, target, run }: Scene, { connectRate }: Partial<Phase> = {}): Promise<number> {
  const { port, lockedPort } = target;
  const listeners = [
    { host: '127.0.0.1', port },
    { host: '127.0.0.1', port: lockedPort, anonymous: false },
  ];
  const limits = { maxClients: run.idleClients + 2_500, connectTimeout: CONNECT_TIMEOUT, drainTimeout: '3s' };
  const rates = { maxPublishRate: 0, ...(connectRate !== undefined && { maxConnectRate: connectRate }) };
  gateway.configure({ mqtt: { listeners, ...rates, ...limits } });
  await gateway.start();
  return await memoryAtWork(gateway);
}

function letThiefIn({ gateway, target: { thief } }: Scene): void {
  const args = ['device', 'add', thief.username, '--secret', thief.password, '--config', gateway.configFile];
  const { code, err } = sluice(args);
  if (code !== 0) throw new Error(err);
}

function problemsOf(figures: Omit<MqttResult, 'problems'>): Omit<MqttResult['problems'], 'store'> {
  const { rssBeforeMb, rssAnewMb, attacks, slowness } = figures;
  const maxRssMb = Math.max(rssBeforeMb, rssAnewMb) * MAX_MEMORY;
  const of = (judge: (result: AttackResult) => string | false): string[] =>
    attacks.flatMap((result) => judge(result) || []);
  const tooMuch = ({ attack, kibPerConnection }: AttackResult): boolean =>
    (attack === 'silent' || attack === 'half-connect') && kibPerConnection > MAX_KIB_BEFORE_CONNECT;
  const ordinary = `${rssBeforeMb} MB before they came, ${rssAnewMb} MB anew`;
  return {
    fell: of(({ attack, crashed }) => crashed && `${attack}: the gateway ended`),
    slow: slowness.problems,
    memory: [
      ...of(
        ({ attack, rssAfterMb }) =>
          rssAfterMb > maxRssMb && `${attack}: ${rssAfterMb} MB when all were gone, ${ordinary}`,
      ),
      ...of((result) => tooMuch(result) && `${result.attack}: ${result.kibPerConnection} KiB before CONNECT`),
    ],
    // A gateway that was started again is another process.
    left: of(
      ({ attack, leftOpenCount, crashed }) =>
        !crashed && leftOpenCount > 0 && `${attack}: ${leftOpenCount} connections left open`,
    ),
    door: of(({ attack, sights }) => {
      const { stillOpen = 0, turnedAway = 0, takenBytes = 0 } = sights;
      return (
        (stillOpen > 0 || turnedAway > 0 || takenBytes > MAX_TAKEN_BYTES) && `${attack}: ${JSON.stringify(sights)}`
      );
    }),
    theft: of(({ attack, sights, p99Ms, crashed }) => {
      const thrownOff = p99Ms === null && !crashed;
      return (thrownOff || (sights['stolen'] ?? 0) > 0) && `${attack}: a client that means well was thrown off`;
    }),
  };
}

export const scenario = defineScenario({
  about:
    'broken and hostile MQTT clients: the gateway does not fall, others do not wait, memory and connections come back',
  usage:
    '[--attack NAME] [--packets N] [--idle-clients N] [--rate N] [--connect-rate N] [--slow-ms MS] [--seed S] [--control]',
  options: {
    attack: choice(
      ['all', ...ATTACKS] as const,
      'all',
      'all of them in turn, with --control those that it must fall to, or one',
    ),
    packets: wholeNumber(20_000, 'mutated packets', 1),
    'idle-clients': wholeNumber(5_000, 'clients that connect and say nothing', 1),
    rate: wholeNumber(100, 'connections of the attackers a second', 1),
    'connect-rate': wholeNumber(100, 'mqtt.maxConnectRate while mutants and idle clients come'),
    'slow-ms': wholeNumber(20, 'milliseconds that the 99th percentile of acknowledgements may take in any case'),
    control: flag('a broker without a doorkeeper: it must fall, be slow, lose names, keep memory and connections'),
  },
  run: async ({ attack, packets, rate, control, seed, say, ...options }) => {
    const { 'idle-clients': idleClients, 'connect-rate': connectRate, 'slow-ms': slowMs } = options;
    const result = await runMqtt({ attack, packets, idleClients, rate, connectRate, slowMs, control, seed, say });
    const found = Object.values(result.problems).flat();
    const blind = FAULTS.filter((fault) => fault !== 'store' && result.problems[fault].length === 0);
    const lines = control
      ? [
          ...found.map((line) => `the control: ${line}`),
          ...blind.map((fault) => `FAIL: this run could not see "${fault}"`),
        ]
      : [slownessLine(result.slowness, slowMs), ...found.map((line) => `PROBLEM ${line}`)];
    const isBusy = !control && result.slowness.judged.length === 0;
    if (isBusy) lines.push('FAIL: this machine was too busy to tell who is slow, in each of the attacks');
    const passed = control ? blind.length === 0 : found.length === 0 && !isBusy;
    return { passed, lines, json: { attack, packets, idleClients, rate, connectRate, slowMs, control, ...result } };
  },
});
