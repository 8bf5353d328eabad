/** Damaged files, of a store alone or under the whole gateway, and the controls in which that must be seen. */

import { defineScenario, flag, type Outcome, UsageError, wholeNumber } from '../scenario.ts';
import { damageGateway } from './gateway-damage.ts';
import { damageStores } from './store-damage.ts';

/** Stores that are broken on purpose. `trust`: it trusts every record, whatever its checksum. `silent`: it tells nobody what is lost. */
type Control = 'none' | 'trust' | 'silent';

interface Figures {
  readonly wrongCount: number;
  readonly lostCount: number;
  readonly toldCount: number;
  readonly hiddenCount: number;
  readonly problems: readonly string[];
}

const BREAKERS: Readonly<Record<Control, readonly string[]>> = {
  none: [],
  trust: ['--import', new URL('./trust-every-record.ts', import.meta.url).href],
  silent: ['--import', new URL('./say-nothing.ts', import.meta.url).href],
};

export const scenario = defineScenario({
  about: 'damaged files: the store opens on what is left, sends no wrong payload, and says what is gone',
  usage: '[--gateway [--records N] | --sweep] [--cycles N] [--seed S] [--control | --control-silent]',
  options: {
    cycles: wholeNumber(60, 'files that are damaged', 1),
    gateway: flag('under a gateway with a fleet and an uplink; without it stores alone, which is ten times as fast'),
    records: wholeNumber(0, 'with --gateway: records put into the log before each damage; 500000 make 100 MB'),
    sweep: flag('stores alone: each of the first 800 bits of log.db and of state.db, one by one; 1600 cycles are all'),
    control: flag('trust every record, whatever its checksum: wrong payloads must be sent'),
    'control-silent': flag('tell nobody what is lost: that must be noticed'),
  },
  run: async ({ cycles, seed, say, gateway, records, sweep, ...flags }) => {
    const control = flags.control ? 'trust' : flags['control-silent'] ? 'silent' : 'none';
    if (gateway && control === 'trust')
      throw new UsageError('--control is for stores alone: not every wrong payload can be read');
    if (!gateway && records > 0) throw new UsageError('--records goes with --gateway');
    if (sweep && (gateway || control !== 'none')) throw new UsageError('--sweep goes with nothing but --cycles');
    const run = { cycles, seed, say, breaker: BREAKERS[control], flipsOnly: control === 'trust', sweep };
    return conclude(control, gateway ? await damageGateway({ ...run, records }) : damageStores(run), {
      control,
      gateway,
    });
  },
});

interface Broken {
  readonly broken: number;
  readonly what: string;
}

const BROKEN: Readonly<Record<Exclude<Control, 'none'>, (figures: Figures) => Broken>> = {
  trust: ({ wrongCount }) => ({ broken: wrongCount, what: 'wrong payloads' }),
  silent: ({ lostCount, toldCount, hiddenCount }) => ({
    broken: lostCount - toldCount - hiddenCount,
    what: 'records lost without a word',
  }),
};

function conclude(control: Control, figures: Figures, options: Outcome['json']): Outcome {
  const { problems, ...counts } = figures;
  if (control === 'none') {
    const lines = problems.map((problem) => `PROBLEM ${problem}`);
    return { passed: lines.length === 0, lines, json: { ...options, ...counts, problems } };
  }
  const { broken, what } = BROKEN[control](figures);
  const line =
    broken > 0 ? `as it must, the control has ${broken} ${what}` : `FAIL: this run could not have noticed ${what}`;
  return { passed: broken > 0, lines: [line], json: { ...options, ...counts } };
}
