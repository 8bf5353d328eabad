/**
 * SIGKILL at random moments under load, and start again, many times; then everything is drained and counted.
 * After every kill the stopped files are counted independently.
 */

import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { SeededRandom } from '../support/random.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { countStore } from '../support/verify.ts';
import { drained } from './drained.ts';
import { Fleet, isHttpDevice } from './fleet.ts';
import type { Verdict } from './judge.ts';
import { judgeRun } from './promises.ts';
import { choice, defineScenario, flag, type Outcome, wholeNumber } from './scenario.ts';
import { ORDERS, type Order, openSink, SINK_TYPES, type SinkType } from './sink.ts';

/**
 * Runs a gateway that is broken on purpose. `early-ack`: it acknowledges before the commit, and must lose records.
 * `no-handshake`: it does not remember QoS 2 exchanges, `no-key`: it does not remember idempotency keys; each must store
 * records twice. `no-backfill`: it does not remember how far a backfill has got, and must count records twice.
 */
type Control = 'none' | 'early-ack' | 'no-handshake' | 'no-key' | 'no-backfill';

interface KillOptions {
  readonly cycles: number;
  readonly uplink: SinkType;
  /** Of a Kafka uplink. */
  readonly client: KafkaClientName;
  readonly order: Order;
  readonly seed: number;
  readonly control: Control;
  readonly say: (line: string) => void;
}

interface KillResult {
  readonly verdict: Verdict;
  readonly kills: number;
  readonly killsDuringStart: number;
  /** That met a backfill. */
  readonly killsInBackfill: number;
  /** After how many kills the counts did not add up. */
  readonly miscountCount: number;
  /** Records of QoS 2 devices that were stored twice. */
  readonly qos2TwiceCount: number;
  /** Records over HTTP that were stored twice. */
  readonly httpTwiceCount: number;
  /** Of the acknowledged records that were lost: those over HTTP. */
  readonly httpLostCount: number;
  /** Requests over HTTP that were sent again after their records were stored. */
  readonly httpReplayedCount: number;
  /** Empty when every promise was kept. */
  readonly problems: readonly string[];
}

const BREAKERS: Readonly<Record<Control, readonly string[]>> = {
  none: [],
  'early-ack': ['--import', new URL('./acknowledge-too-early.ts', import.meta.url).href],
  'no-handshake': ['--import', new URL('./store-twice.ts', import.meta.url).href],
  'no-key': ['--import', new URL('./forget-keys.ts', import.meta.url).href],
  'no-backfill': ['--import', new URL('./forget-backfills.ts', import.meta.url).href],
};

async function runKills(options: KillOptions): Promise<KillResult> {
  const sink = await openSink(options.uplink, options.client, options.order);
  const gateway = await GatewayProcess.create({
    config: { uplinks: sink.uplinks },
    nodeOptions: BREAKERS[options.control],
  });
  const fleet = new Fleet({
    port: gateway.mqttPort,
    apiPort: gateway.apiPort,
    seed: options.seed,
    messagesPerS: 300,
  });
  try {
    await gateway.start();
    fleet.start();
    const kills = await killAgainAndAgain(gateway, options);
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, sink.arrivals(gateway));
    const doubled = sink.exactlyOnce && verdict.repeatedCount > 0 ? [`${verdict.repeatedCount} lines doubled`] : [];
    const all = [...kills.problems, ...problems, ...doubled];
    return { ...kills, verdict, ...partsOf(fleet, verdict), httpReplayedCount: fleet.replayedCount, problems: all };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await sink.close();
  }
}

type Parts = Pick<KillResult, 'qos2TwiceCount' | 'httpTwiceCount' | 'httpLostCount'>;

/** What is counted apart for devices that speak QoS 2, or HTTP. */
function partsOf(fleet: Fleet, { storedTwiceCount, lostByDevice }: Verdict): Parts {
  const http = fleet.exactlyOnceDevices.filter(isHttpDevice);
  const qos2 = fleet.exactlyOnceDevices.filter((device) => !isHttpDevice(device));
  const countOf = (counts: Readonly<Record<string, number>>, devices: readonly string[]): number =>
    devices.reduce((sum, device) => sum + (counts[device] ?? 0), 0);
  return {
    qos2TwiceCount: countOf(storedTwiceCount, qos2),
    httpTwiceCount: countOf(storedTwiceCount, http),
    httpLostCount: countOf(lostByDevice, http),
  };
}

/** A run of `live_first` goes on until so many kills met a backfill, up to so many times the kills that were asked for. */
const BACKFILLS_MET = 3;
const MOST_TIMES_AS_OFTEN = 4;

interface Kills {
  readonly kills: number;
  readonly killsDuringStart: number;
  readonly killsInBackfill: number;
  readonly miscountCount: number;
  readonly problems: readonly string[];
}

/** Ends with a gateway that is ready. */
async function killAgainAndAgain(gateway: GatewayProcess, { cycles, order, seed, say }: KillOptions): Promise<Kills> {
  const random = new SeededRandom(seed);
  const problems: string[] = [];
  let killsDuringStart = 0;
  let killsInBackfill = 0;
  let kills = 0;
  const isOver = (): boolean => {
    if (kills < cycles) return false;
    return order !== 'live_first' || killsInBackfill >= BACKFILLS_MET || kills >= MOST_TIMES_AS_OFTEN * cycles;
  };
  while (!isOver()) {
    await delay(random.between(10, 600));
    await gateway.stop('SIGKILL');
    kills += 1;
    const left = countStore(gateway.dataDir);
    if (left.backfillCount > 0) killsInBackfill += 1;
    problems.push(...left.problems.map((problem) => `after kill ${kills}: ${problem}`));
    // Whole in its last life: whatever a control breaks, a kill did it.
    if (isOver()) gateway.forgetNodeOptions();
    gateway.launch();
    const duringStart = !isOver() && random.chance(0.15);
    if (duringStart) killsDuringStart += 1;
    else await gateway.ready();
    if (kills % 20 === 0) say(`${kills} of ${Math.max(kills, cycles)} kills, ${problems.length} problems`);
  }
  const miscountCount = problems.length;
  if (order === 'live_first' && killsInBackfill < BACKFILLS_MET)
    problems.push(`only ${killsInBackfill} kills met a backfill: the run says little`);
  return { kills, killsDuringStart, killsInBackfill, miscountCount, problems };
}

export const scenario = defineScenario({
  about: 'SIGKILL at random moments under load: nothing acknowledged is lost, nothing is stored twice, order is kept',
  usage:
    '[--cycles N] --uplink file|kafka [--client C] [--seed S] [--order O] [--control | --control-qos2 | --control-http | --control-backfill]',
  options: {
    cycles: wholeNumber(60, 'kills; with live_first up to four times as many, until three met a backfill', 1),
    uplink: choice(SINK_TYPES, 'file', 'where the records go'),
    client: choice(KAFKA_CLIENTS, 'kafkajs', 'the library that speaks to Kafka'),
    order: choice(ORDERS, 'strict', 'whether fresh records pass the backlog'),
    control: flag('acknowledge before the commit: records must be lost'),
    'control-qos2': flag('forget QoS 2 exchanges: records must be stored twice'),
    'control-http': flag('forget idempotency keys: records must be stored twice'),
    'control-backfill': flag('with live_first, forget how far backfills are: records must be counted twice'),
  },
  run: async ({ cycles, uplink, client, order, seed, say, ...flags }) => {
    const control = controlOf(flags);
    const result = await runKills({ cycles, uplink, client, order, seed, control, say });
    const { lostExamples: _, lostByDevice: __, storedTwiceCount: ___, ...verdict } = result.verdict;
    return conclude(control, result, { uplink, client, order, cycles, control, ...result, verdict });
  },
});

function controlOf(flags: {
  control: boolean;
  'control-qos2': boolean;
  'control-http': boolean;
  'control-backfill': boolean;
}): Control {
  if (flags.control) return 'early-ack';
  if (flags['control-qos2']) return 'no-handshake';
  if (flags['control-backfill']) return 'no-backfill';
  return flags['control-http'] ? 'no-key' : 'none';
}

type Broken = { readonly broken: number; readonly what: string };

/** What each control is there to break, all of it. */
const BROKEN: Readonly<Record<Exclude<Control, 'none'>, (result: KillResult) => readonly Broken[]>> = {
  'early-ack': ({ verdict: { lostCount }, httpLostCount }) => [
    { broken: lostCount - httpLostCount, what: 'acknowledged records over MQTT lost' },
    { broken: httpLostCount, what: 'acknowledged records over HTTP lost' },
  ],
  'no-handshake': ({ qos2TwiceCount }) => [{ broken: qos2TwiceCount, what: 'QoS 2 records stored twice' }],
  'no-backfill': ({ miscountCount }) => [{ broken: miscountCount, what: 'lanes with counts that do not add up' }],
  'no-key': ({ httpTwiceCount }) => [{ broken: httpTwiceCount, what: 'records over HTTP stored twice' }],
};

function conclude(control: Control, result: KillResult, json: Outcome['json']): Outcome {
  if (control === 'none') {
    const { problems } = result;
    return { passed: problems.length === 0, lines: problems.map((problem) => `PROBLEM ${problem}`), json };
  }
  const all = BROKEN[control](result);
  const lineOf = ({ broken, what }: Broken): string =>
    `${broken > 0 ? `as it must, the control has ${broken}` : 'FAIL: this run could not have noticed any'} ${what}`;
  return { passed: all.every(({ broken }) => broken > 0), lines: all.map(lineOf), json };
}
