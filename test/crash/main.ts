/**
 * npm run crash -- kill --cycles N --uplink file|kafka [--seed S] [--control]
 * npm run crash -- away [--seed S]
 * The last line is one JSON object; exit code 0 when every promise was kept, or when the control did lose records.
 */

import process from 'node:process';
import { parseArgs } from 'node:util';
import { runAway } from './away.ts';
import { type KillResult, runKills } from './kill.ts';

const USAGE =
  'usage: npm run crash -- kill --cycles N --uplink file|kafka [--seed S] [--control]\n       npm run crash -- away [--seed S]\n';

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
  readonly uplink: string;
  readonly seed: number;
  readonly control: boolean;
}

function readArguments(): Arguments {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      cycles: { type: 'string', default: '60' },
      uplink: { type: 'string', default: 'file' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
      control: { type: 'boolean', default: false },
    },
  });
  const numbers = { cycles: Number(values.cycles), seed: Number(values.seed) };
  if (!Number.isInteger(numbers.cycles) || numbers.cycles < 1) usageError('--cycles must be a whole number from 1');
  if (!Number.isInteger(numbers.seed)) usageError('--seed must be a whole number');
  return { scenario: positionals[0] ?? '', uplink: values.uplink, control: values.control, ...numbers };
}

async function kill({ cycles, uplink, seed, control }: Arguments): Promise<boolean> {
  if (uplink !== 'file' && uplink !== 'kafka') usageError(`unknown uplink "${uplink}"`);
  const result = await runKills({ cycles, uplink, seed, control, say });
  const passed = control ? result.verdict.lostCount > 0 : result.problems.length === 0;
  explain(result, control);
  const { lostExamples: _, storedTwiceCount: __, ...verdict } = result.verdict;
  say(JSON.stringify({ scenario: 'kill', uplink, cycles, seed, control, passed, ...result, verdict }));
  return passed;
}

function explain({ problems, verdict }: KillResult, control: boolean): void {
  if (control && verdict.lostCount > 0) say(`the control lost ${verdict.lostCount} acknowledged records, as it must`);
  else if (control) say('the control lost nothing: this test could not have noticed a loss');
  else for (const problem of problems) say(`PROBLEM ${problem}`);
}

async function away({ seed }: Arguments): Promise<boolean> {
  const results = await runAway({ seed, say });
  for (const { name, problems } of results) for (const problem of problems) say(`PROBLEM ${name}: ${problem}`);
  const passed = results.every(({ problems }) => problems.length === 0);
  say(JSON.stringify({ scenario: 'away', seed, passed, results }));
  return passed;
}

const args = readArguments();
say(`seed ${args.seed}`);
const scenarios: Readonly<Record<string, (args: Arguments) => Promise<boolean>>> = { kill, away };
const scenario = scenarios[args.scenario] ?? usageError(`unknown scenario "${args.scenario}"`);
process.exitCode = (await scenario(args)) ? 0 : 1;
