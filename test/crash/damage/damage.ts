/**
 * Files of a store that are damaged while nobody looks: bits flipped, pages overwritten, ends cut off, write-ahead logs
 * deleted or taken from another day. The store opens on what is left, delivers what can be read, and says what is gone.
 */

import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { entryOfNumber } from '../../support/append-until-killed.ts';
import { SeededRandom } from '../../support/random.ts';
import { countStore } from '../../support/verify.ts';
import { Promised } from '../power/promised.ts';
import { PROMISES_FILE } from '../power/replay.ts';
import { defineScenario, flag, wholeNumber } from '../scenario.ts';
import { DELIVERED_FILE } from './delivered-file.ts';
import type { Drained } from './drain.ts';
import { flipBitsOfValues, type Wreck, wreck } from './wreck.ts';

export interface DamageOptions {
  readonly cycles: number;
  readonly seed: number;
  /** A store that trusts every record, whatever its checksum. */
  readonly control: boolean;
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
  /** Of these: as many as gaps and rejects say, or in a store that said that nobody knows how many. */
  readonly reportedCount: number;
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
const TRUST = new URL('./trust-every-record.ts', import.meta.url).href;
/** Ends of the workload that leave a write-ahead log, and ends that do not, come by chance of the round. */
const ROUNDS = 3;
/**
 * Records that the workload stores at once. The last commit of a write-ahead log that is damaged looks like one that was
 * never synced, and a log that was cut like one to which nothing more was written: nobody can know of these.
 */
const ONE_COMMIT = 64 * 5;

interface Life {
  /** Of the last start; undefined when none came to its end. */
  readonly drained: Drained | undefined;
  /** How each start ended that came to no end. */
  readonly failures: readonly string[];
}

class DamageRun {
  readonly #directory: string;
  readonly #options: DamageOptions;
  readonly #random: SeededRandom;
  readonly #promised = new Promised();
  readonly byWreck: Record<string, number> = {};
  readonly opens: number[] = [];
  readonly problems: string[] = [];
  restarts = 0;
  repaired = 0;
  wrongCount = 0;
  lostCount = 0;
  reportedCount = 0;
  devicesLost = 0;

  constructor(directory: string, options: DamageOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  /** A store with some history, and the same at an earlier time. */
  prepare(): void {
    const dataDir = this.#path('store');
    mkdirSync(dataDir);
    for (let round = 1; round <= ROUNDS; round += 1) {
      const args = [WORKLOAD, dataDir, String(round), String(this.#options.seed), 'full', 'kill'];
      const { signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
      if (signal !== 'SIGKILL') throw new Error(`the workload ended with ${signal}: ${stderr}`);
      if (round === 1) cpSync(dataDir, this.#path('old'), { recursive: true });
    }
    this.#promised.read(readFileSync(join(dataDir, PROMISES_FILE)));
  }

  cycle(index: number): void {
    const dataDir = this.#path('damaged');
    cpSync(this.#path('store'), dataDir, { recursive: true });
    writeFileSync(join(dataDir, DELIVERED_FILE), '');
    const what = this.#wreck(dataDir);
    const where = `cycle ${index}, ${what.kind} of ${what.file}`;
    this.byWreck[what.kind] = (this.byWreck[what.kind] ?? 0) + 1;
    const { drained, failures } = this.#live(dataDir);
    this.restarts += drained === undefined ? 0 : failures.length;
    if (drained === undefined) this.problems.push(`${where}: no start came to an end: ${failures.join('; ')}`);
    else this.#judge(drained, where);
    if (drained !== undefined && !this.#options.control) {
      // Records that are damaged one by one stay where they are, and are told from the rest by their checksums.
      this.problems.push(...countStore(dataDir).problems.map((problem) => `${where}: ${problem}`));
    }
    rmSync(dataDir, { recursive: true });
  }

  #wreck(dataDir: string): Wreck {
    if (!this.#options.control) return wreck(dataDir, this.#path('old'), this.#random);
    flipBitsOfValues(dataDir, this.#random);
    return { kind: 'flip_bits', file: 'log.db' };
  }

  #live(dataDir: string): Life {
    const trust = this.#options.control ? ['--import', TRUST] : [];
    const failures: string[] = [];
    while (failures.length < MAX_STARTS) {
      const ended = spawnSync(process.execPath, [...trust, DRAIN, dataDir], {
        encoding: 'utf8',
        timeout: MAX_LIFE_MS,
        maxBuffer: 2 ** 28,
      });
      if (ended.status === 0) return { drained: JSON.parse(ended.stdout) as Drained, failures };
      failures.push(howItEnded(ended));
    }
    return { drained: undefined, failures };
  }

  #judge(drained: Drained, where: string): void {
    const lost = this.#lostCount(this.#path('damaged'));
    this.opens.push(drained.openMs);
    this.repaired += drained.repairs.length > 0 ? 1 : 0;
    this.wrongCount += drained.wrongCount;
    this.lostCount += lost;
    const said = drained.unknownGaps > 0 ? lost : Math.min(lost, drained.reportedCount + drained.rejectedCount);
    this.reportedCount += said;
    const missing = this.#promised.devices.filter((id) => !drained.devices.includes(id));
    this.devicesLost += missing.length;
    if (drained.wrongCount > 0) this.problems.push(`${where}: ${drained.wrongCount} wrong payloads`);
    if (drained.openMs > MAX_UP_MS) this.problems.push(`${where}: up after ${Math.round(drained.openMs)} ms`);
    if (missing.length > 0) this.problems.push(`${where}: ${missing.length} devices cannot log in any more`);
    const isHidden = where.includes('cut_wal') || (where.includes('wal') && lost <= ONE_COMMIT);
    if (lost > 0 && said === 0 && drained.repairs.length === 0 && !isHidden) {
      this.problems.push(`${where}: ${lost} records lost and not a word about it`);
    }
    const highest = Math.max(...this.#promised.entries.values());
    if (drained.firstSeq <= highest) this.problems.push(`${where}: seq ${drained.firstSeq} was given out before`);
  }

  #lostCount(dataDir: string): number {
    const delivered = deliveredBy(dataDir);
    let lost = 0;
    for (const [entry, firstSeq] of this.#promised.entries) {
      const built = entryOfNumber(entry);
      if (built.kind !== 'records') continue;
      for (const [index, { stream }] of built.records.entries()) {
        const seq = firstSeq + index;
        const isSettled = seq <= (this.#promised.settled.get(stream) ?? 0);
        if (!isSettled && !delivered.has(`${stream} ${seq}`)) lost += 1;
      }
    }
    return lost;
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

/** By all starts together: one that died had settled what it delivered. */
function deliveredBy(dataDir: string): ReadonlySet<string> {
  return new Set(readFileSync(join(dataDir, DELIVERED_FILE), 'utf8').split('\n'));
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
  usage: '[--cycles N] [--seed S] [--control]',
  options: {
    cycles: wholeNumber(60, 'damaged stores', 1),
    control: flag('trust every record, whatever its checksum: wrong payloads must be sent'),
  },
  run: ({ cycles, control, seed, say }) => {
    const result = runDamage({ cycles, control, seed, say });
    if (!control) {
      const lines = result.problems.map((problem) => `PROBLEM ${problem}`);
      return Promise.resolve({ passed: lines.length === 0, lines, json: { control, ...result } });
    }
    const passed = result.wrongCount > 0;
    const line = passed
      ? `as it must, the control has sent ${result.wrongCount} wrong payloads`
      : 'FAIL: this run could not have noticed a wrong payload';
    const { problems: _, ...figures } = result;
    return Promise.resolve({ passed, lines: [line], json: { control, ...figures } });
  },
});
