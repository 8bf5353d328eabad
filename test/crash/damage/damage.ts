/**
 * Files of a store that are damaged while nobody looks: bits flipped, pages overwritten, ends cut off, write-ahead logs
 * deleted or taken from another day. The store opens on what is left, delivers what can be read, and says what is gone.
 */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Seq } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import { entryOfNumber } from '../../support/append-until-killed.ts';
import { SeededRandom } from '../../support/random.ts';
import { countStore } from '../../support/verify.ts';
import { Promised } from '../power/promised.ts';
import { PROMISES_FILE } from '../power/replay.ts';
import { defineScenario, flag, type Outcome, wholeNumber } from '../scenario.ts';
import type { Drained } from './drain.ts';
import { judgeLosses, type Known } from './judge-losses.ts';
import { readKnown } from './known.ts';
import { readTold, TOLD_FILE } from './told.ts';
import { flipBitsOfValues, type Wreck, wreck } from './wreck.ts';

/** Stores that are broken on purpose. `trust`: it trusts every record, whatever its checksum. `silent`: it tells nobody what is lost. */
type Control = 'none' | 'trust' | 'silent';

export interface DamageOptions {
  readonly cycles: number;
  readonly seed: number;
  readonly control: Control;
  readonly say: (line: string) => void;
}

export interface DamageResult {
  readonly cycles: number;
  readonly byWreck: Readonly<Record<string, number>>;
  /** Starts beyond the first: damage that was found while the store ran. */
  readonly restarts: number;
  /** Stores of which something had to be repaired or set aside. */
  readonly repaired: number;
  readonly wrongCount: number;
  /** Promised, not delivered before, and not delivered after. */
  readonly lostCount: number;
  /** Of these: set aside, or in a gap. */
  readonly toldCount: number;
  /** Of these: nobody can know of them; see `judge-losses.ts`. */
  readonly hiddenCount: number;
  readonly devicesLost: number;
  readonly openMsMedian: number;
  readonly openMsMax: number;
  readonly problems: readonly string[];
}

const MAX_UP_MS = 10_000;
/** As a service manager does; each finds more of what is damaged. */
const MAX_STARTS = 4;
/** Far more than a drain takes beside whatever keeps the machine busy. */
const MAX_LIFE_MS = 60_000;
/** Of what a start said that failed: the error with its hint and the place. */
const MAX_SAID = 1_500;
const WORKLOAD = join(import.meta.dirname, '../power/workload.ts');
const DRAIN = join(import.meta.dirname, 'drain.ts');
const BREAKERS: Readonly<Record<Control, readonly string[]>> = {
  none: [],
  trust: ['--import', new URL('./trust-every-record.ts', import.meta.url).href],
  silent: ['--import', new URL('./say-nothing.ts', import.meta.url).href],
};
const ROUNDS = 3;
const JUDGED: readonly Stream[] = ['telemetry', 'events'];

interface Life {
  /** Of the last start; undefined when none came to its end. */
  readonly drained: Drained | undefined;
  /** How each start ended that came to no end. */
  readonly failures: readonly string[];
}

/** A store, what was promised to its senders, and the seqs of that by stream. */
interface Prepared {
  readonly directory: string;
  readonly promised: Promised;
  readonly seqs: ReadonlyMap<Stream, readonly Seq[]>;
}

interface Damaged {
  readonly what: Wreck;
  readonly known: ReadonlyMap<Stream, Known> | undefined;
  /** For people. */
  readonly where: string;
}

class DamageRun {
  readonly #directory: string;
  readonly #options: DamageOptions;
  readonly #random: SeededRandom;
  #stores: readonly Prepared[] = [];
  readonly byWreck: Record<string, number> = {};
  readonly opens: number[] = [];
  readonly problems: string[] = [];
  restarts = 0;
  repaired = 0;
  wrongCount = 0;
  lostCount = 0;
  toldCount = 0;
  hiddenCount = 0;
  devicesLost = 0;

  constructor(directory: string, options: DamageOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  /** A store with some history, the same at an earlier time, and the same after one more life that ended in good order. */
  prepare(): void {
    const killed = this.#path('killed');
    mkdirSync(killed);
    for (let round = 1; round <= ROUNDS; round += 1) {
      this.#work(killed, round, 'kill');
      if (round === 1) cpSync(killed, this.#path('old'), { recursive: true });
    }
    const closed = this.#path('closed');
    cpSync(killed, closed, { recursive: true });
    this.#work(closed, ROUNDS + 1, 'close');
    this.#stores = [prepared(killed), prepared(closed)];
  }

  #work(dataDir: string, round: number, end: 'kill' | 'close'): void {
    const args = [WORKLOAD, dataDir, String(round), String(this.#options.seed), 'full', end];
    const { signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
    if (signal !== 'SIGKILL') throw new Error(`the workload ended with ${signal}: ${stderr}`);
  }

  cycle(index: number): void {
    const dataDir = this.#path('damaged');
    const store = this.#stores[index % this.#stores.length] as Prepared;
    cpSync(store.directory, dataDir, { recursive: true });
    writeFileSync(join(dataDir, TOLD_FILE), '');
    const what = this.#wreck(dataDir);
    const known = this.#known(dataDir);
    const where = `cycle ${index}, ${what.kind} of ${what.file}`;
    this.byWreck[what.kind] = (this.byWreck[what.kind] ?? 0) + 1;
    const { drained, failures } = this.#live(dataDir);
    this.restarts += drained === undefined ? 0 : failures.length;
    if (drained === undefined) this.problems.push(`${where}: no start came to an end: ${failures.join('; ')}`);
    else this.#judge(drained, store, where);
    if (drained !== undefined && this.#options.control !== 'trust') {
      this.#judgeLosses(store, { what, known, where });
      // Records that are damaged one by one stay where they are, and are told from the rest by their checksums.
      this.problems.push(...countStore(dataDir).problems.map((problem) => `${where}: ${problem}`));
    }
    rmSync(dataDir, { recursive: true });
  }

  #wreck(dataDir: string): Wreck {
    if (this.#options.control !== 'trust') return wreck(dataDir, this.#path('old'), this.#random);
    flipBitsOfValues(dataDir, this.#random);
    return { kind: 'flip_bits', file: 'log.db' };
  }

  #known(dataDir: string): ReadonlyMap<Stream, Known> | undefined {
    const copy = this.#path('looked-at');
    cpSync(dataDir, copy, { recursive: true });
    const known = readKnown(copy);
    rmSync(copy, { recursive: true });
    return known;
  }

  #live(dataDir: string): Life {
    const breaker = BREAKERS[this.#options.control];
    const failures: string[] = [];
    while (failures.length < MAX_STARTS) {
      const ended = spawnSync(process.execPath, [...breaker, DRAIN, dataDir], {
        encoding: 'utf8',
        timeout: MAX_LIFE_MS,
        maxBuffer: 2 ** 28,
      });
      if (ended.status === 0) return { drained: JSON.parse(ended.stdout) as Drained, failures };
      failures.push(howItEnded(ended));
    }
    return { drained: undefined, failures };
  }

  #judge(drained: Drained, { promised }: Prepared, where: string): void {
    this.opens.push(drained.openMs);
    this.repaired += drained.repairs.length > 0 ? 1 : 0;
    this.wrongCount += drained.wrongCount;
    const missing = promised.devices.filter((id) => !drained.devices.includes(id));
    this.devicesLost += missing.length;
    if (drained.wrongCount > 0) this.problems.push(`${where}: ${drained.wrongCount} wrong payloads`);
    if (drained.openMs > MAX_UP_MS) this.problems.push(`${where}: up after ${Math.round(drained.openMs)} ms`);
    if (missing.length > 0) this.problems.push(`${where}: ${missing.length} devices cannot log in any more`);
    const highest = Math.max(...promised.entries.values());
    if (drained.firstSeq <= highest) this.problems.push(`${where}: seq ${drained.firstSeq} was given out before`);
  }

  #judgeLosses({ promised, seqs }: Prepared, { what, known, where }: Damaged): void {
    const told = readTold(readFileSync(join(this.#path('damaged'), TOLD_FILE), 'utf8'));
    for (const stream of JUDGED) {
      const { lostCount, toldCount, hiddenCount, problems } = judgeLosses({
        stream,
        promised: seqs.get(stream) ?? [],
        settledUpTo: promised.settled.get(stream) ?? 0,
        known: known?.get(stream),
        told,
        wreck: what,
      });
      this.lostCount += lostCount;
      this.toldCount += toldCount;
      this.hiddenCount += hiddenCount;
      this.problems.push(...problems.map((problem) => `${where}: ${problem}`));
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** With the end of what it said, on one line. */
function howItEnded({ status, signal, error, stderr }: SpawnSyncReturns<string>): string {
  const how = error === undefined ? `exit code ${status}, signal ${signal}` : String(error);
  return `${how}, ${JSON.stringify(stderr.trim().slice(-MAX_SAID))}`;
}

function prepared(directory: string): Prepared {
  const promised = new Promised();
  promised.read(readFileSync(join(directory, PROMISES_FILE)));
  return { directory, promised, seqs: seqsOf(promised) };
}

/** Of every record that was accepted, by stream. */
function seqsOf({ entries }: Promised): ReadonlyMap<Stream, readonly Seq[]> {
  const records = [...entries].flatMap(([entry, firstSeq]) => {
    const built = entryOfNumber(entry);
    return built.kind === 'records'
      ? built.records.map(({ stream }, index) => ({ stream, seq: firstSeq + index }))
      : [];
  });
  const byStream = Map.groupBy(records, ({ stream }) => stream);
  return new Map([...byStream].map(([stream, theirs]) => [stream, theirs.map(({ seq }) => seq)]));
}

export function runDamage(options: DamageOptions): DamageResult {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-damage-'));
  try {
    const run = new DamageRun(directory, options);
    run.prepare();
    for (let index = 0; index < options.cycles; index += 1) {
      run.cycle(index);
      if ((index + 1) % 20 === 0)
        options.say(`${index + 1} of ${options.cycles} cycles, ${run.problems.length} problems`);
    }
    const opens = run.opens.toSorted((a, b) => a - b);
    const { opens: _, ...figures } = { ...run };
    return {
      cycles: options.cycles,
      ...figures,
      openMsMedian: Math.round(opens[Math.floor(opens.length / 2)] ?? 0),
      openMsMax: Math.round(opens.at(-1) ?? 0),
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export const scenario = defineScenario({
  about: 'damaged files: the store opens on what is left, sends no wrong payload, and says what is gone',
  usage: '[--cycles N] [--seed S] [--control | --control-silent]',
  options: {
    cycles: wholeNumber(60, 'damaged stores', 1),
    control: flag('trust every record, whatever its checksum: wrong payloads must be sent'),
    'control-silent': flag('tell nobody what is lost: that must be noticed'),
  },
  run: ({ cycles, seed, say, ...flags }) => {
    const control = flags.control ? 'trust' : flags['control-silent'] ? 'silent' : 'none';
    const result = runDamage({ cycles, control, seed, say });
    return Promise.resolve(conclude(control, result));
  },
});

type Figures = Omit<DamageResult, 'problems'>;
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

function conclude(control: Control, { problems, ...figures }: DamageResult): Outcome {
  if (control === 'none') {
    const lines = problems.map((problem) => `PROBLEM ${problem}`);
    return { passed: lines.length === 0, lines, json: { control, ...figures, problems } };
  }
  const { broken, what } = BROKEN[control](figures);
  const line =
    broken > 0 ? `as it must, the control has ${broken} ${what}` : `FAIL: this run could not have noticed ${what}`;
  return { passed: broken > 0, lines: [line], json: { control, ...figures } };
}
