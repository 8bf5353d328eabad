/**
 * Boards without a battery start in 1970, batteries that ran out start anywhere, and time servers set clocks while the
 * gateway runs. Order is by seq, nothing expires early, forwarding waits for the first synchronisation, records from
 * before it get their true times by it, and whatever waits goes by time that passed. Beside that gateway runs another one,
 * for which days pass at once: what is too old for its limit of age goes, and is told.
 */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayProcess } from '../support/gateway-process.ts';
import { MachineClock, WITH_MACHINE_CLOCK } from '../support/machine-clock.ts';
import { countStore, readFiles } from '../support/verify.ts';
import { Ages, type AgeVerdict } from './clock/ages.ts';
import { LIFE_WITHOUT_SYNC, MAX_AGE_MS } from './clock/lives.ts';
import { Scene } from './clock/scene.ts';
import { judgeTimes, type TimeVerdict } from './clock/time-judge.ts';
import { drained } from './drained.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { defineScenario, flag, type Outcome, type Run, wholeNumber } from './scenario.ts';

/**
 * Runs a gateway that is broken on purpose. `naive-age`: it drops by the clock on the wall, and must lose records early.
 * `no-boots`: it forgets when the machine was started, and must leave times uncorrected. `one-boot`: it takes every start
 * of the machine for the same, and must correct times wrongly. `ages`: it believes what wrong clocks said of ages, and must
 * drop what is too young. `unsynced`: it believes a clock that nobody has synchronised for days, and must do so, too.
 */
type Control = 'none' | 'naive-age' | 'no-boots' | 'one-boot' | 'ages' | 'unsynced';

interface ClockRun extends Run {
  readonly cycles: number;
  readonly control: Control;
}

interface TimesResult extends TimeVerdict {
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly droppedCount: number;
  readonly disorderedCount: number;
  /** Of all times from the synchronisation to the first record that was delivered. */
  readonly slowestSyncMs: number;
  readonly problems: readonly string[];
}

interface AgesResult extends AgeVerdict {
  readonly problems: readonly string[];
}

type ClockResult = Partial<TimesResult & AgesResult> & { readonly problems: readonly string[] };

/** Of so many starts one is of the gateway for which days pass at once: of twenty as many as there are ways to start. */
const STARTS_PER_LIFE = 4;

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
  ages: importing('./clock/trust-wrong-times.ts'),
  unsynced: importing('./clock/believe-unsynced.ts'),
};

/** Both gateways wait more than they compute. A control plays the one that it breaks. */
async function runClock(run: ClockRun): Promise<ClockResult> {
  const { control, cycles } = run;
  const lives = Math.ceil(cycles / STARTS_PER_LIFE);
  if (control === 'ages' || control === 'unsynced') return await runAges(run);
  if (control !== 'none') return await runTimes(run);
  const [times, ages] = await Promise.all([
    runTimes({ ...run, cycles: Math.max(1, cycles - lives) }),
    runAges({ ...run, cycles: lives }),
  ]);
  return { ...times, ...ages, problems: [...times.problems, ...ages.problems] };
}

async function runAges({ cycles, control }: ClockRun): Promise<AgesResult> {
  const uplink = { ...STICK, directory: '{directory}/stick' };
  const gateway = await GatewayProcess.create({
    ...WITH_MACHINE_CLOCK,
    config: { uplinks: [uplink], buffer: { keepFree: '16MiB', maxAge: `${MAX_AGE_MS}ms` } },
    nodeOptions: [...WITH_MACHINE_CLOCK.nodeOptions, ...importing('./clock/say-looked.ts'), ...BREAKERS[control]],
  });
  const ages = new Ages(gateway, new MachineClock(gateway));
  try {
    await ages.start();
    const first = control === 'unsynced' ? LIFE_WITHOUT_SYNC : 0;
    for (let cycle = first; cycle < first + cycles; cycle += 1) await ages.cycle(cycle);
    const verdict = await ages.finish();
    return { ...verdict, problems: ages.problems };
  } catch (cause) {
    throw new Error(`the run of ages broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    await gateway.dispose();
  }
}

async function runTimes({ cycles, seed, control, say }: ClockRun): Promise<TimesResult> {
  const configOf = (waitForSync: string) => ({ uplinks: [STICK], clock: { waitForSync } });
  const gateway = await GatewayProcess.create({
    ...WITH_MACHINE_CLOCK,
    nodeOptions: [...WITH_MACHINE_CLOCK.nodeOptions, ...BREAKERS[control]],
  });
  mkdirSync(join(gateway.directory, 'upstream'));
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: 100 });
  const scene = new Scene(gateway, fleet, (waitForSync) => gateway.configure(configOf(waitForSync)));
  try {
    fleet.start();
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      await scene.cycle(cycle);
      if (cycle % 10 === 9) say(`${cycle + 1} of ${cycles} cycles, ${scene.problems.length} problems`);
    }
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    return await judge(scene);
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
  }
}

async function judge({ gateway, fleet, lost, slowestSyncMs, problems: found }: Scene): Promise<TimesResult> {
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

/** What each control is there to break. */
const BROKEN: Readonly<Record<Exclude<Control, 'none'>, (result: ClockResult) => readonly [number, string]>> = {
  'naive-age': ({ droppedCount = 0 }) => [droppedCount, 'records dropped early'],
  'no-boots': ({ uncorrectedCount = 0 }) => [uncorrectedCount, 'times that were not corrected'],
  'one-boot': ({ miscorrectedCount = 0 }) => [miscorrectedCount, 'times that were corrected wrongly'],
  ages: ({ expiredEarlyCount = 0 }) => [expiredEarlyCount, 'records that expired early'],
  unsynced: ({ expiredEarlyCount = 0 }) => [expiredEarlyCount, 'records that expired early'],
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
    'clocks that are wrong, late, and set while it runs: order by seq, nothing expires early or stays too long, times are corrected, nothing waits for them',
  usage:
    '[--cycles N] [--seed S] [--control | --control-no-boots | --control-one-boot | --control-ages | --control-unsynced]',
  options: {
    cycles: wholeNumber(20, 'starts of a machine with a wrong clock', 1),
    control: flag('drop what is old by the clock on the wall: records must expire early'),
    'control-no-boots': flag('forget when the machine was started: times must not be corrected'),
    'control-one-boot': flag('take every start of the machine for the same: times must be corrected wrongly'),
    'control-ages': flag('believe what wrong clocks say of ages: records must expire early'),
    'control-unsynced': flag('believe a clock that nobody has synchronised for days: records must expire early'),
  },
  run: async ({ cycles, seed, say, ...flags }) => {
    const control = controlOf(flags);
    const result = await runClock({ cycles, control, seed, say });
    return conclude(control, result, { cycles, control, ...result });
  },
});

const CONTROL_FLAGS = {
  control: 'naive-age',
  'control-no-boots': 'no-boots',
  'control-one-boot': 'one-boot',
  'control-ages': 'ages',
  'control-unsynced': 'unsynced',
} as const;

function controlOf(flags: Readonly<Record<keyof typeof CONTROL_FLAGS, boolean>>): Control {
  const names = Object.keys(CONTROL_FLAGS) as (keyof typeof CONTROL_FLAGS)[];
  const given = names.find((name) => flags[name]);
  return given === undefined ? 'none' : CONTROL_FLAGS[given];
}
