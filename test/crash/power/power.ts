/**
 * Power cuts. A process works on a store under the shim, which writes down all it does to the files; then the disk is
 * made as it would be after a power cut, at many points of that record, and the store is opened on it.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import type { Durability } from '../../../src/store/sqlite.ts';
import { shimEnvironment } from '../../support/disk-shim.ts';
import { SeededRandom } from '../../support/random.ts';
import { defineScenario, flag, wholeNumber } from '../scenario.ts';
import { judgeCut } from './judge-cut.ts';
import { type Operation, readOperations } from './recorded-disk.ts';
import { Replay } from './replay.ts';

export interface PowerOptions {
  readonly cuts: number;
  readonly seed: number;
  /** The control records a store of `relaxed` durability and judges it as if it had promised more. */
  readonly control: boolean;
  readonly say: (line: string) => void;
}

export interface PowerResult {
  readonly cuts: number;
  readonly operations: number;
  readonly promisedRecords: number;
  /** Cuts after which something promised was not there. */
  readonly cutsWithLoss: number;
  readonly lostCount: number;
  readonly openMsMedian: number;
  readonly openMsMax: number;
  readonly problems: readonly string[];
}

/** Lives of the store in one record: some end in good order, the others are killed. */
const ROUNDS = 4;
/** A store must open within this. */
const MAX_OPEN_MS = 5_000;
const MAX_PROBLEMS = 20;
const WORKLOAD = join(import.meta.dirname, 'workload.ts');

export async function runPower(options: PowerOptions): Promise<PowerResult> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-power-'));
  try {
    const recordFile = recordWorkload(directory, options);
    return await judgeCuts(directory, [...readOperations(recordFile)], options);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Returns the file with the record. */
export function recordWorkload(directory: string, { seed, control }: Pick<PowerOptions, 'seed' | 'control'>): string {
  const dataDir = join(directory, 'data');
  const recordFile = join(directory, 'record');
  const durability: Durability = control ? 'relaxed' : 'full';
  mkdirSync(dataDir);
  const env = { ...process.env, ...shimEnvironment({ directory: dataDir, recordFile }) };
  for (let round = 1; round <= ROUNDS; round += 1) {
    const args = [WORKLOAD, dataDir, String(round), String(seed), durability];
    const { signal, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 120_000 });
    if (signal !== 'SIGKILL' || stderr !== '') throw new Error(`the workload ended with ${signal}: ${stderr}`);
  }
  return recordFile;
}

async function judgeCuts(
  directory: string,
  operations: readonly Operation[],
  { cuts, seed, control, say }: PowerOptions,
): Promise<PowerResult> {
  const random = new SeededRandom(seed);
  const points = Array.from({ length: cuts }, () => random.between(1, operations.length)).sort((a, b) => a - b);
  const replay = new Replay();
  const opens: number[] = [];
  const problems: string[] = [];
  let [done, lostCount, cutsWithLoss, told] = [0, 0, 0, 0];
  for (const [index, point] of points.entries()) {
    for (; done < point; done += 1) replay.follow(operations[done]);
    const dataDir = join(directory, `cut-${index}`);
    writeDisk(
      dataDir,
      replay.disk.afterCut(() => random.next()),
    );
    const verdict = await judgeCut(dataDir, replay.promised);
    rmSync(dataDir, { recursive: true, force: true });
    opens.push(verdict.openMs);
    lostCount += verdict.lostCount;
    if (verdict.lostCount > 0) cutsWithLoss += 1;
    const tooSlow = verdict.openMs > MAX_OPEN_MS ? [`opening took ${Math.round(verdict.openMs)} ms`] : [];
    for (const problem of [...verdict.problems, ...tooSlow]) problems.push(`cut ${index} at ${point}: ${problem}`);
    if (problems.length > told && told < MAX_PROBLEMS)
      say(`${control ? 'the control:' : 'PROBLEM'} ${problems.slice(told).join('; ')}`);
    told = problems.length;
    if ((index + 1) % 100 === 0) say(`${index + 1} of ${cuts} cuts, ${lostCount} lost`);
  }
  opens.sort((a, b) => a - b);
  return {
    cuts,
    operations: operations.length,
    promisedRecords: replay.promised.entries.size,
    cutsWithLoss,
    lostCount,
    openMsMedian: Math.round(opens[Math.floor(opens.length / 2)] ?? 0),
    openMsMax: Math.round(opens.at(-1) ?? 0),
    problems: problems.slice(0, MAX_PROBLEMS),
  };
}

function writeDisk(dataDir: string, contents: ReadonlyMap<string, Uint8Array>): void {
  mkdirSync(dataDir);
  for (const [name, content] of contents) writeFileSync(join(dataDir, name), content);
}

export const scenario = defineScenario({
  about: 'power cuts: what was not synced is dropped, reordered or torn; nothing that was promised is lost',
  usage: '[--cuts N] [--seed S] [--control]',
  options: {
    cuts: wholeNumber(500, 'points of the record at which the power goes', 1),
    control: flag('let the store be of `relaxed` durability: records must be lost'),
  },
  run: async ({ cuts, control, seed, say }) => {
    const result = await runPower({ cuts, control, seed, say });
    if (!control) {
      return { passed: result.problems.length === 0, lines: [], json: { control, ...result } };
    }
    const passed = result.lostCount > 0;
    const line = passed
      ? `as it must, the control has ${result.lostCount} promised things lost`
      : 'FAIL: this run could not have noticed any loss';
    const { problems: _, ...figures } = result;
    return { passed, lines: [line], json: { control, ...figures } };
  },
});
