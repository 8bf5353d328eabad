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
import { UPLINK } from '../power/power-store.ts';
import { Promised } from '../power/promised.ts';
import { PROMISES_FILE } from '../power/replay.ts';
import { DamageCounts, type DamageFigures } from './damage-counts.ts';
import type { Drained } from './drain.ts';
import type { Known } from './judge-losses.ts';
import { isSalvageUnfinished, readCopied, readKnown, readWhole, rootsOf } from './known.ts';
import { readTold, TOLD_FILE } from './told.ts';
import { describeWrecks, flipBitOfHead, flipBitsOfValues, HEAD_BITS, type Wreck, wreck, wreckLog } from './wreck.ts';

export interface StoreDamageOptions {
  readonly cycles: number;
  readonly seed: number;
  /** For Node: a module that breaks the store on purpose. */
  readonly breaker: readonly string[];
  /** Flips bits in records alone, which is all that a store that trusts them has to be shown. */
  readonly flipsOnly: boolean;
  /** Flips each bit of the heads of both files, one after the other, and does nothing else. */
  readonly sweep: boolean;
  readonly say: (line: string) => void;
}

export interface StoreDamageResult extends DamageFigures {
  readonly cycles: number;
  /** First starts that were killed while a damaged log was put back. */
  readonly killsInSalvage: number;
  /** Of these: what it was put back into was damaged as well. */
  readonly damagesInSalvage: number;
  /** Stores of which something had to be repaired or set aside. */
  readonly repaired: number;
}

/** As a service manager does; each finds more of what is damaged. */
const MAX_STARTS = 4;
/** Of the loop; within them a store is opened, what can be read is put back, and the first is delivered. */
const MAX_TURNS = 4;
/** Far more than a drain takes beside whatever keeps the machine busy. */
const MAX_LIFE_MS = 60_000;
/** Of what a start said that failed: the error with its hint and the place. */
const MAX_SAID = 1_500;
const WORKLOAD = join(import.meta.dirname, '../power/workload.ts');
const DRAIN = join(import.meta.dirname, 'drain.ts');
const ROUNDS = 3;
/** Its index among the stores. */
const CLOSED = 1;
const JUDGED: readonly Stream[] = ['telemetry', 'events'];

interface Life {
  /** Of the last start; undefined when none came to its end. */
  readonly drained: Drained | undefined;
  /** How each start ended that came to no end. */
  readonly failures: readonly string[];
  /** UTC milliseconds: of the first start. */
  readonly startedAt: number;
}

/** A store, what was promised to its senders, and the seqs of that by stream. */
interface Prepared {
  readonly directory: string;
  readonly promised: Promised;
  readonly seqs: ReadonlyMap<Stream, readonly Seq[]>;
  readonly roots: Partial<Record<Stream, number>>;
}

interface Damaged {
  readonly wrecks: readonly Wreck[];
  readonly known: ReadonlyMap<Stream, Known> | undefined;
  readonly whole: ReadonlySet<string>;
  /** Devices in the good copy of `state.db`. */
  readonly copied: ReadonlySet<string>;
}

interface Judged extends Damaged {
  /** For people. */
  readonly where: string;
}

class DamageRun {
  readonly #directory: string;
  readonly #options: StoreDamageOptions;
  readonly #random: SeededRandom;
  #stores: readonly Prepared[] = [];
  readonly counts = new DamageCounts();
  killsInSalvage = 0;
  damagesInSalvage = 0;
  repaired = 0;

  constructor(directory: string, options: StoreDamageOptions) {
    this.#directory = directory;
    this.#options = options;
    this.#random = new SeededRandom(options.seed);
  }

  /**
   * A store with some history, the same at an earlier time, the same after one more life that ended in good order, and one
   * whose first life ended before what it stored was copied.
   */
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
    const cutOff = this.#path('cut-off');
    mkdirSync(cutOff);
    this.#work(cutOff, 1, 'cut_off');
    this.#stores = [prepared(killed), prepared(closed), prepared(cutOff)];
    const whole = this.#path('whole');
    cpSync(closed, whole, { recursive: true });
    const { drained, startedAt } = this.#live(whole);
    this.counts.ordinaryUp((drained?.openedAt ?? Number.NaN) - startedAt);
  }

  #work(dataDir: string, round: number, end: 'kill' | 'close' | 'cut_off'): void {
    const args = [WORKLOAD, dataDir, String(round), String(this.#options.seed), 'full', end];
    const { signal, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 120_000 });
    if (signal !== 'SIGKILL') throw new Error(`the workload ended with ${signal}: ${stderr}`);
  }

  cycle(index: number): void {
    const dataDir = this.#path('damaged');
    const store = this.#stores[this.#options.sweep ? CLOSED : index % this.#stores.length] as Prepared;
    cpSync(store.directory, dataDir, { recursive: true });
    writeFileSync(join(dataDir, TOLD_FILE), '');
    const first = this.#damaged(dataDir, this.#wreck(dataDir, index), store.roots);
    const diesEarly = !this.#options.flipsOnly && this.#random.chance(0.5);
    if (diesEarly) this.#dieEarly(dataDir);
    const damaged = diesEarly ? this.#damagedAgain(dataDir, first) : first;
    const where = `cycle ${index}, ${describeWrecks(damaged.wrecks)}`;
    this.counts.met(damaged.wrecks);
    const { drained, failures, startedAt } = this.#live(dataDir);
    this.counts.restarts += drained === undefined ? 0 : failures.length;
    if (drained === undefined) this.counts.problem(where, `no start came to an end: ${failures.join('; ')}`);
    else {
      this.counts.up(where, drained.openedAt - startedAt);
      this.#judge(drained, store, { ...damaged, where });
      // What an earlier start had to repair, that one said.
      if (!diesEarly && failures.length === 0) this.#judgeWords(drained, store, { ...damaged, where });
    }
    if (drained !== undefined && !this.#options.flipsOnly) {
      this.#judgeLosses(store, { ...damaged, where });
      // Records that are damaged one by one stay where they are, and are told from the rest by their checksums.
      this.counts.problem(where, ...countStore(dataDir).problems);
    }
    rmSync(dataDir, { recursive: true });
  }

  #damaged(dataDir: string, wrecks: readonly Wreck[], roots: Prepared['roots']): Damaged {
    return {
      wrecks,
      known: this.#looked(dataDir, (copy) => readKnown(copy, UPLINK)),
      whole: this.#looked(dataDir, (copy) => readWhole(copy, roots)),
      copied: readCopied(dataDir),
    };
  }

  /** Now and then, while a damaged log is put back: what was not put back yet is lost with it, and must be told. */
  #damagedAgain(dataDir: string, first: Damaged): Damaged {
    if (!this.#looked(dataDir, isSalvageUnfinished) || this.#random.chance(0.5)) return first;
    this.damagesInSalvage += 1;
    const roots = this.#looked(dataDir, rootsOf);
    const second = wreckLog(dataDir, this.#random);
    const damaged = this.#damaged(dataDir, [...first.wrecks, second], roots);
    // What it counts it has from the first one.
    return { ...damaged, known: first.known && damaged.known, copied: first.copied };
  }

  #wreck(dataDir: string, index: number): readonly Wreck[] {
    if (this.#options.sweep) return [flipBitOfHead(dataDir, index % HEAD_BITS)];
    if (!this.#options.flipsOnly) return wreck(dataDir, this.#path('old'), this.#random);
    flipBitsOfValues(dataDir, this.#random);
    return [{ kind: 'flip_bits', file: 'log.db' }];
  }

  /** What a look at a store finds that leaves it as it is: SQLite changes files that it opens. */
  #looked<T>(dataDir: string, look: (copy: string) => T): T {
    const copy = this.#path('looked-at');
    cpSync(dataDir, copy, { recursive: true });
    const found = look(copy);
    rmSync(copy, { recursive: true });
    return found;
  }

  #dieEarly(dataDir: string): void {
    const turns = String(this.#random.between(0, MAX_TURNS));
    const args = [...this.#options.breaker, DRAIN, dataDir, turns];
    spawnSync(process.execPath, args, { timeout: MAX_LIFE_MS });
    if (this.#looked(dataDir, isSalvageUnfinished)) this.killsInSalvage += 1;
  }

  #live(dataDir: string): Life {
    const { breaker } = this.#options;
    const failures: string[] = [];
    const startedAt = Date.now();
    while (failures.length < MAX_STARTS) {
      const ended = spawnSync(process.execPath, [...breaker, DRAIN, dataDir], {
        encoding: 'utf8',
        timeout: MAX_LIFE_MS,
        maxBuffer: 2 ** 28,
      });
      if (ended.status === 0) return { drained: JSON.parse(ended.stdout) as Drained, failures, startedAt };
      failures.push(howItEnded(ended));
    }
    return { drained: undefined, failures, startedAt };
  }

  #judge(drained: Drained, { promised }: Prepared, { wrecks, copied, where }: Judged): void {
    this.repaired += drained.repairs.length > 0 ? 1 : 0;
    this.counts.wrong(where, drained.wrongCount);
    const missing = promised.devices.filter((id) => !drained.devices.includes(id));
    const isOnlyCopy = wrecks.some(({ file }) => file === 'state.db') && !missing.some((id) => copied.has(id));
    this.counts.lostDevices(where, missing.length, { mayBe: isOnlyCopy });
    const highest = Math.max(...promised.entries.values());
    if (drained.firstSeq <= highest) this.counts.problem(where, `seq ${drained.firstSeq} was given out before`);
  }

  #judgeWords({ devices, repairs }: Drained, { promised }: Prepared, { wrecks, where }: Judged): void {
    const isMissing = promised.devices.some((id) => !devices.includes(id));
    if (isMissing && repairs.length === 0 && !wrecks.some(mayHide))
      this.counts.problem(where, 'devices are lost without a word');
  }

  #judgeLosses({ promised, seqs }: Prepared, { wrecks, known, whole, where }: Judged): void {
    const told = readTold(readFileSync(join(this.#path('damaged'), TOLD_FILE), 'utf8'));
    for (const stream of JUDGED) {
      this.counts.judge(where, {
        stream,
        promised: seqs.get(stream) ?? [],
        settledUpTo: promised.settled.get(stream) ?? 0,
        known: known?.get(stream),
        told,
        whole,
        wrecks,
      });
    }
  }

  #path(name: string): string {
    return join(this.#directory, name);
  }
}

/** Of what was not copied yet: it looks like a file to which nothing more was written. */
function mayHide({ kind, file }: Wreck): boolean {
  return file === 'state.db' && (kind === 'cut_wal' || kind === 'flip_bits_of_wal');
}

/** With the end of what it said, on one line. */
function howItEnded({ status, signal, error, stderr }: SpawnSyncReturns<string>): string {
  const how = error === undefined ? `exit code ${status}, signal ${signal}` : String(error);
  return `${how}, ${JSON.stringify(stderr.trim().slice(-MAX_SAID))}`;
}

function prepared(directory: string): Prepared {
  const promised = new Promised();
  promised.read(readFileSync(join(directory, PROMISES_FILE)));
  return { directory, promised, seqs: seqsOf(promised), roots: rootsOf(directory) };
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

export function damageStores(options: StoreDamageOptions): StoreDamageResult {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-damage-'));
  try {
    const run = new DamageRun(directory, options);
    run.prepare();
    for (let index = 0; index < options.cycles; index += 1) {
      run.cycle(index);
      if ((index + 1) % 20 === 0)
        options.say(`${index + 1} of ${options.cycles} cycles, ${run.counts.problemCount} problems`);
    }
    const { counts, killsInSalvage, damagesInSalvage, repaired } = run;
    return { cycles: options.cycles, ...counts.figures, killsInSalvage, damagesInSalvage, repaired };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
