/**
 * What happens to the process itself: a thread dies or is blocked, memory or descriptors run out, a second daemon wants
 * the same data. It must end with a clear line and a code that is not 0, or go on; it must never live on and acknowledge
 * what it does not store.
 */

import { FAULTS, type ProcessFault } from './process/faults.ts';
import { type Control, type FaultResult, play } from './process/play.ts';
import { defineScenario, flag } from './scenario.ts';

/** Which waits most is played beside the rest: without a service manager a blocked thread ends nothing for a minute. */
const ALONE = FAULTS.filter(({ isAlone }) => isAlone);
const WATCHED = FAULTS.filter(({ isAlone, outcome }) => !isAlone && outcome === 'is ended');
const REST = FAULTS.filter(({ isAlone, outcome }) => !isAlone && outcome !== 'is ended');

type Player = (fault: ProcessFault) => Promise<FaultResult>;

async function inTurn(faults: readonly ProcessFault[], player: Player): Promise<FaultResult[]> {
  const results: FaultResult[] = [];
  for (const fault of faults) results.push(await player(fault));
  return results;
}

async function atOnce(...tracks: readonly Promise<readonly FaultResult[]>[]): Promise<FaultResult[]> {
  return (await Promise.all(tracks)).flat();
}

export const scenario = defineScenario({
  about: 'threads die or are blocked, memory and descriptors run out: the process ends with a clear line, or goes on',
  usage: '[--seed S] [--control]',
  options: {
    control: flag(
      'answer before the commit and live on without a store; in others, let no thread look after the others',
    ),
  },
  run: async ({ control, seed, say }) => {
    const player = (broken?: Control) => async (fault: ProcessFault) => {
      const result = await play(fault, { seed, ...(broken && { control: broken }) });
      say(lineOf(result));
      return result;
    };
    const alone = (broken?: Control) => ALONE.map((fault) => inTurn([fault], player(broken)));
    if (control) {
      const zombies = inTurn(REST.slice(0, 1), player('zombie'));
      return judgeControls(await zombies, await atOnce(...alone('nobody-looks')));
    }
    const results = await atOnce(inTurn(REST, player()), inTurn(WATCHED, player()), ...alone());
    const problems = results.flatMap(({ name, problems }) => problems.map((problem) => `PROBLEM ${name}: ${problem}`));
    return { passed: problems.length === 0, lines: problems, json: { control, results } };
  },
});

function judgeControls(zombies: readonly FaultResult[], unwatched: readonly FaultResult[]) {
  const lostCount = zombies.reduce((sum, result) => sum + result.lostCount, 0);
  const unseen = unwatched.filter(({ livedOn, isSilent }) => !(livedOn && isSilent)).map(({ name }) => name);
  const lines = [
    lostCount > 0
      ? `as it must, the control lost ${lostCount} acknowledged records`
      : 'FAIL: this run could not have noticed any loss',
    unseen.length === 0
      ? `as they must, ${unwatched.length} gateways with a thread that hangs lived on without a word`
      : `FAIL: nobody looked, and yet it ended or was named: ${unseen.join('; ')}`,
  ];
  const passed = lostCount > 0 && unseen.length === 0;
  return { passed, lines, json: { control: true, results: [...zombies, ...unwatched] } };
}

function lineOf({ name, endedAfterMs, code, ackedCount, problems }: FaultResult): string {
  const end = endedAfterMs === null ? 'went on' : `ended after ${endedAfterMs} ms with ${code}`;
  return `${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name}: ${end}, ${ackedCount} acknowledged`;
}
