/**
 * Boards without a battery start in 1970, batteries that ran out start anywhere, and time servers set clocks while the
 * gateway runs. Order is by seq, nothing expires early, forwarding waits for the first synchronisation, records from
 * before it get their true times by it, and whatever waits goes by time that passed.
 */

import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayProcess } from '../support/gateway-process.ts';
import { countStore, progress, readFiles } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { Scene } from './clock/scene.ts';
import { judgeTimes, type TimeVerdict } from './clock/time-judge.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { defineScenario, flag, type Outcome, type Run, wholeNumber } from './scenario.ts';

/**
 * Runs a gateway that is broken on purpose. `naive-age`: it drops by the clock on the wall, and must lose records early.
 * `no-boots`: it forgets when the machine was started, and must leave times uncorrected. `one-boot`: it takes every start
 * of the machine for the same, and must correct times wrongly.
 */
type Control = 'none' | 'naive-age' | 'no-boots' | 'one-boot';

interface ClockRun extends Run {
  readonly cycles: number;
  readonly control: Control;
}

interface ClockResult extends TimeVerdict {
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly droppedCount: number;
  readonly disorderedCount: number;
  /** Of all times from the synchronisation to the first record that was delivered. */
  readonly slowestSyncMs: number;
  readonly problems: readonly string[];
}

const DRAIN_MS = 60_000;
/** Its directory can be taken away as a whole. */
const STICK = {
  name: 'stick',
  type: 'file',
  directory: '{directory}/upstream/stick',
  rotateBytes: '4MiB',
  backoff: { initial: '50ms', max: '1s' },
};
const importing = (module: string): string[] => ['--import', new URL(module, import.meta.url).href];
const BREAKERS: Readonly<Record<Control, readonly string[]>> = {
  none: [],
  'naive-age': importing('./clock/naive-age.ts'),
  'no-boots': importing('./clock/forget-boots.ts'),
  'one-boot': importing('./clock/one-boot.ts'),
};

async function runClock({ cycles, seed, control, say }: ClockRun): Promise<ClockResult> {
  const configOf = (waitForSync: string) => ({ uplinks: [STICK], clock: { waitForSync } });
  const gateway = await GatewayProcess.create({
    nodeOptions: [...importing('./clock/wrong-clock.ts'), ...BREAKERS[control]],
    env: { WRONG_CLOCK_FILE: '{directory}/clock', PATH: `{directory}/bin:${process.env['PATH'] ?? ''}` },
  });
  mkdirSync(join(gateway.directory, 'upstream'));
  sayUnsynchronised(gateway);
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: 100 });
  const scene = new Scene(gateway, fleet, (waitForSync) => gateway.configure(configOf(waitForSync)));
  try {
    fleet.start();
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      await scene.cycle(cycle);
      if (cycle % 10 === 9) say(`${cycle + 1} of ${cycles} cycles, ${scene.problems.length} problems`);
    }
    await fleet.finish();
    await waitFor(() => progress(gateway.dataDir).pending === 0, { what: 'the backlog to go', timeoutMs: DRAIN_MS });
    await gateway.stop('SIGTERM');
    return await judge(scene);
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
  }
}

async function judge({ gateway, fleet, lost, slowestSyncMs, problems: found }: Scene): Promise<ClockResult> {
  const droppedCount = countStore(gateway.dataDir).lanes.reduce((sum, lane) => sum + lane.droppedCount, 0);
  const arrivals = () => readFiles(join(gateway.directory, 'upstream'));
  const { verdict, problems } = await judgeRun(gateway, fleet, arrivals());
  const ledgers = fleet.senders.map(({ ledger }) => ledger);
  const times = await judgeTimes(arrivals(), ledgers, lost);
  const { ackedCount, lostCount, disorderedCount } = verdict;
  const expired = droppedCount === 0 ? [] : [`${droppedCount} records expired early`];
  const all = [...found, ...expired, ...timeProblems(times), ...problems];
  return { ackedCount, lostCount, droppedCount, disorderedCount, ...times, slowestSyncMs, problems: all };
}

function timeProblems({ correctedCount, miscorrectedCount, uncorrectedCount }: TimeVerdict): string[] {
  const found: string[] = [];
  if (correctedCount === 0) found.push('no time was corrected: the run says nothing of that');
  if (miscorrectedCount > 0) found.push(`${miscorrectedCount} times corrected wrongly`);
  if (uncorrectedCount > 0) found.push(`${uncorrectedCount} times not corrected`);
  return found;
}

/** Asked beside systemd's file; that alone says when the clock is right. */
function sayUnsynchronised(gateway: GatewayProcess): void {
  const directory = join(gateway.directory, 'bin');
  mkdirSync(directory);
  writeFileSync(join(directory, 'timedatectl'), '#!/bin/sh\necho no\n');
  chmodSync(join(directory, 'timedatectl'), 0o755);
}

/** What each control is there to break. */
const BROKEN: Readonly<Record<Exclude<Control, 'none'>, (result: ClockResult) => readonly [number, string]>> = {
  'naive-age': ({ droppedCount }) => [droppedCount, 'records dropped early'],
  'no-boots': ({ uncorrectedCount }) => [uncorrectedCount, 'times that were not corrected'],
  'one-boot': ({ miscorrectedCount }) => [miscorrectedCount, 'times that were corrected wrongly'],
};

function conclude(control: Control, result: ClockResult, json: Outcome['json']): Outcome {
  if (control === 'none') {
    const { problems } = result;
    return { passed: problems.length === 0, lines: problems.map((problem) => `PROBLEM ${problem}`), json };
  }
  const [broken, what] = BROKEN[control](result);
  const line =
    broken > 0 ? `as it must, the control has ${broken} ${what}` : `FAIL: this run could not have noticed ${what}`;
  return { passed: broken > 0, lines: [line], json };
}

export const scenario = defineScenario({
  about:
    'clocks that are wrong, late, and set while it runs: order by seq, nothing expires early, times are corrected, nothing waits for them',
  usage: '[--cycles N] [--seed S] [--control | --control-no-boots | --control-one-boot]',
  options: {
    cycles: wholeNumber(20, 'starts of a machine with a wrong clock', 1),
    control: flag('drop what is old by the clock on the wall: records must expire early'),
    'control-no-boots': flag('forget when the machine was started: times must not be corrected'),
    'control-one-boot': flag('take every start of the machine for the same: times must be corrected wrongly'),
  },
  run: async ({ cycles, seed, say, ...flags }) => {
    const control = controlOf(flags);
    const result = await runClock({ cycles, control, seed, say });
    return conclude(control, result, { cycles, control, ...result });
  },
});

function controlOf(flags: Readonly<Record<'control' | 'control-no-boots' | 'control-one-boot', boolean>>): Control {
  if (flags.control) return 'naive-age';
  if (flags['control-no-boots']) return 'no-boots';
  return flags['control-one-boot'] ? 'one-boot' : 'none';
}
