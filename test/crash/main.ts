/**
 * npm run crash -- NAME [OPTIONS], npm run crash -- NAME --help
 * The last line is one JSON object; exit code 0 when every promise was kept, or when a control broke the
 * promise that it is there to break.
 */

import process from 'node:process';
import { type Scenario, UsageError } from './scenario.ts';

/** Loaded one by one: each needs other programs. */
const SCENARIOS: Readonly<Record<string, () => Promise<{ readonly scenario: Scenario }>>> = {
  kill: () => import('./kill.ts'),
  sessions: () => import('./sessions.ts'),
  away: () => import('./away.ts'),
  'exactly-once': () => import('./exactly-once.ts'),
  soak: () => import('./soak.ts'),
  power: () => import('./power/power.ts'),
  disk: () => import('./disk/disk.ts'),
  damage: () => import('./damage/damage.ts'),
  mqtt: () => import('./mqtt.ts'),
  process: () => import('./process.ts'),
  kafka: () => import('./kafka.ts'),
  backlog: () => import('./backlog.ts'),
  clock: () => import('./clock.ts'),
  serial: () => import('./serial.ts'),
};

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

async function helpOf(name: string): Promise<string> {
  const { scenario } = (await SCENARIOS[name]?.()) ?? {};
  if (scenario === undefined) return '';
  const options = Object.entries(scenario.options).map(([option, { argument, about, byDefault }]) => {
    const left = `  --${option}${argument === undefined ? '' : ` ${argument}`}`;
    const right = argument === undefined || option === 'seed' ? about : `${about} (${byDefault})`;
    return `${left.padEnd(34)}  ${right}\n`;
  });
  return `usage: npm run crash -- ${name} ${scenario.usage}\n${scenario.about}\n\n${options.join('')}`;
}

async function list(): Promise<string> {
  const lines = Object.entries(SCENARIOS).map(async ([name, load]) => {
    return `  ${name.padEnd(12)}  ${(await load()).scenario.about}\n`;
  });
  return `usage: npm run crash -- NAME [OPTIONS], npm run crash -- NAME --help\n\n${(await Promise.all(lines)).join('')}`;
}

async function play(name: string, { scenario }: { readonly scenario: Scenario }, args: string[]): Promise<boolean> {
  const { passed, lines, json } = await scenario.play(args, { say });
  for (const line of lines) say(line);
  say(JSON.stringify({ scenario: name, ...json }));
  return passed;
}

/** @returns the exit code. */
async function main([name = '', ...args]: string[]): Promise<number> {
  const load = SCENARIOS[name];
  if (load === undefined) {
    const isHelp = name === '--help';
    process[isHelp ? 'stdout' : 'stderr'].write(
      `${isHelp || name === '' ? '' : `unknown scenario "${name}"\n`}${await list()}`,
    );
    return isHelp ? 0 : 2;
  }
  if (args.includes('--help')) {
    process.stdout.write(await helpOf(name));
    return 0;
  }
  try {
    return (await play(name, await load(), args)) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${await helpOf(name)}`);
    return 2;
  }
}

// A connection that some client forgot must not keep a run that is judged.
process.exit(await main(process.argv.slice(2)));
