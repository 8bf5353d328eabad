/** What a fault that `npm run crash` can play has to say of itself, and how its options are read. */

import { parseArgs } from 'node:util';
import { messageOf } from '../../src/core/errors.ts';

export interface Option<Value> {
  /** What follows its name on the command line; undefined for a flag. */
  readonly argument: string | undefined;
  readonly about: string;
  readonly byDefault: Value;
  /** @throws UsageError */
  read(text: string): Value;
}

type Options = Readonly<Record<string, Option<unknown>>>;
type Values<Known extends Options> = { readonly [Name in keyof Known]: ReturnType<Known[Name]['read']> };

export interface Run {
  /** Everything that is left to chance follows from it. */
  readonly seed: number;
  /** How far the run has come, for people. */
  readonly say: (line: string) => void;
}

export interface Outcome {
  /** Every promise was kept; or, of a control: the run saw the fault that it is there to see. */
  readonly passed: boolean;
  /** What was wrong, in words. */
  readonly lines: readonly string[];
  /** Options and figures of the run. */
  readonly json: Readonly<Record<string, unknown>>;
}

export interface Scenario {
  /** One sentence: what happens to the gateway, and what must hold. */
  readonly about: string;
  /** What follows the name on the command line. */
  readonly usage: string;
  readonly options: Options;
  /** @throws UsageError when the options make no sense; nothing has happened then. */
  play(args: readonly string[], run: Omit<Run, 'seed'>): Promise<Outcome>;
}

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const SEED_ABOUT = 'plays the same run again; chosen by chance and printed when it is not given';

/** Adds `--seed` to the options that are its own. */
export function defineScenario<Known extends Options>(definition: {
  readonly about: string;
  readonly usage: string;
  readonly options: Known;
  run(args: Values<Known> & Run): Promise<Outcome>;
}): Scenario {
  const { about, usage, run } = definition;
  const seed = { ...wholeNumber(Math.floor(Math.random() * 1_000_000), SEED_ABOUT), argument: 'S' };
  const options = { ...definition.options, seed };
  return {
    about,
    usage,
    options,
    play: async (args, { say }) => {
      const values = readOptions(args, options);
      say(`seed ${values.seed}`);
      const { passed, lines, json } = await run({ ...values, say });
      return { passed, lines, json: { seed: values.seed, passed, ...json } };
    },
  };
}

export function wholeNumber(byDefault: number, about: string, least = 0): Option<number> {
  const accepts = (value: number): boolean => Number.isInteger(value) && value >= least;
  return numberOption({ byDefault, about, accepts, wanted: `a whole number from ${least}` });
}

export function positiveNumber(byDefault: number, about: string): Option<number> {
  return numberOption({ byDefault, about, accepts: (value) => value > 0, wanted: 'a number above 0' });
}

function numberOption(option: {
  readonly byDefault: number;
  readonly about: string;
  readonly wanted: string;
  accepts(value: number): boolean;
}): Option<number> {
  const { byDefault, about, wanted } = option;
  const read = (text: string): number => {
    if (text.trim() === '' || !option.accepts(Number(text))) throw new UsageError(wanted);
    return Number(text);
  };
  return { argument: 'N', about, byDefault, read };
}

export function choice<Name extends string>(names: readonly Name[], byDefault: Name, about: string): Option<Name> {
  return {
    argument: names.join('|'),
    about,
    byDefault,
    read: (text) => {
      const name = names.find((known) => known === text);
      if (name === undefined) throw new UsageError(`one of ${names.join(', ')}`);
      return name;
    },
  };
}

export function flag(about: string): Option<boolean> {
  return { argument: undefined, about, byDefault: false, read: () => true };
}

function readOptions<Known extends Options>(args: readonly string[], options: Known): Values<Known> {
  const given = parse(args, options);
  const entries = Object.entries(options).map(([name, option]) => {
    const text = given[name];
    return [name, text === undefined ? option.byDefault : readOne(name, option, String(text))];
  });
  return Object.fromEntries(entries) as Values<Known>;
}

function readOne(name: string, option: Option<unknown>, text: string): unknown {
  try {
    return option.read(text);
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(`--${name} must be ${error.message}, not "${text}"`);
    throw error;
  }
}

function parse(args: readonly string[], options: Options): Readonly<Record<string, unknown>> {
  const known = Object.entries(options).map(([name, { argument }]) => {
    return [name, { type: argument === undefined ? 'boolean' : 'string' }] as const;
  });
  try {
    return parseArgs({ args: [...args], options: Object.fromEntries(known) }).values;
  } catch (error) {
    throw new UsageError(messageOf(error));
  }
}
