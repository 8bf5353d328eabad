/**
 * npm run crash -- kill --cycles N --uplink file|kafka [--client kafkajs|platformatic] [--seed S] [--control | --control-qos2 | --control-http]
 * npm run crash -- sessions --cycles N [--seed S] [--control]
 * npm run crash -- away [--client kafkajs|platformatic] [--seed S]
 * npm run crash -- soak --minutes N [--seed S]
 * The last line is one JSON object; exit code 0 when every promise was kept, or when a control broke the
 * promise that it is there to break.
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { KAFKA_CLIENTS } from '../support/uplink-options.ts';
import { runAway } from './away.ts';
import { type Control, type KillResult, runKills } from './kill.ts';
import { runSessions } from './sessions.ts';
import { runSoak } from './soak.ts';

const USAGE = `usage: npm run crash -- kill --cycles N --uplink file|kafka [--client kafkajs|platformatic] [--seed S] [--control | --control-qos2 | --control-http]
       npm run crash -- sessions --cycles N [--seed S] [--control]
       npm run crash -- away [--client kafkajs|platformatic] [--seed S]
       npm run crash -- soak --minutes N [--seed S]
`;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function usageError(message: string): never {
  process.stderr.write(`${message}\n${USAGE}`);
  process.exit(2);
}

interface Arguments {
  readonly scenario: string;
  readonly cycles: number;
  readonly minutes: number;
  readonly uplink: string;
  readonly client: KafkaClientName;
  readonly seed: number;
  readonly control: Control;
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      cycles: { type: 'string', default: '60' },
      minutes: { type: 'string', default: '60' },
      uplink: { type: 'string', default: 'file' },
      client: { type: 'string', default: 'kafkajs' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
      control: { type: 'boolean', default: false },
      'control-qos2': { type: 'boolean', default: false },
      'control-http': { type: 'boolean', default: false },
    },
  });
  const numbers = { cycles: Number(values.cycles), minutes: Number(values.minutes), seed: Number(values.seed) };
  if (!Number.isInteger(numbers.cycles) || numbers.cycles < 1) usageError('--cycles must be a whole number from 1');
  if (!(numbers.minutes > 0)) usageError('--minutes must be a number above 0');
  if (!Number.isInteger(numbers.seed)) usageError('--seed must be a whole number');
  const control = controlOf(values);
  const client =
    KAFKA_CLIENTS.find((name) => name === values.client) ?? usageError(`unknown client "${values.client}"`);
  return { scenario: positionals[0] ?? '', uplink: values.uplink, client, control, ...numbers };
}

function controlOf(values: { control: boolean; 'control-qos2': boolean; 'control-http': boolean }): Control {
  if (values.control) return 'early-ack';
  if (values['control-qos2']) return 'no-handshake';
  return values['control-http'] ? 'no-key' : 'none';
}

async function kill({ cycles, uplink, client, seed, control }: Arguments): Promise<boolean> {
  if (uplink !== 'file' && uplink !== 'kafka') usageError(`unknown uplink "${uplink}"`);
  const result = await runKills({ cycles, uplink, client, seed, control, say });
  const { passed, lines } = conclude(control, result);
  for (const line of lines) say(line);
  const { lostExamples: _, lostByDevice: __, storedTwiceCount: ___, ...verdict } = result.verdict;
  say(JSON.stringify({ scenario: 'kill', uplink, client, cycles, seed, control, passed, ...result, verdict }));
  return passed;
}

type Broken = { readonly broken: number; readonly what: string };

/** What each control is there to break, all of it. */
const BROKEN: Readonly<Record<Exclude<Control, 'none'>, (result: KillResult) => readonly Broken[]>> = {
  'early-ack': ({ verdict: { lostCount }, httpLostCount }) => [
    { broken: lostCount - httpLostCount, what: 'acknowledged records over MQTT lost' },
    { broken: httpLostCount, what: 'acknowledged records over HTTP lost' },
  ],
  'no-handshake': ({ qos2TwiceCount }) => [{ broken: qos2TwiceCount, what: 'QoS 2 records stored twice' }],
  'no-key': ({ httpTwiceCount }) => [{ broken: httpTwiceCount, what: 'records over HTTP stored twice' }],
};

function conclude(
  control: Control,
  result: KillResult,
): { readonly passed: boolean; readonly lines: readonly string[] } {
  if (control === 'none') {
    return { passed: result.problems.length === 0, lines: result.problems.map((problem) => `PROBLEM ${problem}`) };
  }
  const all = BROKEN[control](result);
  const lineOf = ({ broken, what }: Broken): string =>
    `${broken > 0 ? `as it must, the control has ${broken}` : 'FAIL: this run could not have noticed any'} ${what}`;
  return { passed: all.every(({ broken }) => broken > 0), lines: all.map(lineOf) };
}

async function away({ seed, client }: Arguments): Promise<boolean> {
  const results = await runAway({ seed, client, say });
  for (const { name, problems } of results) for (const problem of problems) say(`PROBLEM ${name}: ${problem}`);
  const passed = results.every(({ problems }) => problems.length === 0);
  say(JSON.stringify({ scenario: 'away', client, seed, passed, results }));
  return passed;
}

async function sessions({ cycles, seed, control: broken }: Arguments): Promise<boolean> {
  const control = broken !== 'none';
  const result = await runSessions({ cycles, seed, control, say });
  for (const problem of result.problems) say(control ? `the control: ${problem}` : `PROBLEM ${problem}`);
  const isBroken = result.lostCount > 0 && result.retainedWrong > 0 && result.wills.lostCount > 0;
  const passed = control ? isBroken : result.problems.length === 0;
  if (control && !passed) say('FAIL: this run could not have noticed any loss');
  say(JSON.stringify({ scenario: 'sessions', cycles, seed, control, passed, ...result }));
  return passed;
}

async function soak({ minutes, seed }: Arguments): Promise<boolean> {
  const result = await runSoak({ minutes, seed, say });
  for (const problem of result.problems) say(`PROBLEM ${problem}`);
  const passed = result.problems.length === 0;
  say(JSON.stringify({ scenario: 'soak', minutes, seed, passed, ...result }));
  return passed;
}

const args = readArguments();
say(`seed ${args.seed}`);
const scenarios: Readonly<Record<string, (args: Arguments) => Promise<boolean>>> = { kill, away, sessions, soak };
const scenario = scenarios[args.scenario] ?? usageError(`unknown scenario "${args.scenario}"`);
// A connection that some client forgot must not keep a run that is judged.
process.exit((await scenario(args)) ? 0 : 1);
