/**
 * A disk that fails under a gateway under load, in every way and again and again: nothing is acknowledged that is not
 * stored, the gateway says so, and goes on by itself when the disk is mended.
 */

import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { shimEnvironment } from '../../support/disk-shim.ts';
import { GatewayProcess } from '../../support/gateway-process.ts';
import { SeededRandom } from '../../support/random.ts';
import { countStore, progress } from '../../support/verify.ts';
import { waitFor } from '../../support/wait-for.ts';
import { drained } from '../drained.ts';
import { Fleet } from '../fleet.ts';
import { judgeRun } from '../promises.ts';
import { defineScenario, flag, wholeNumber } from '../scenario.ts';
import { openSink } from '../sink.ts';
import { FAULTS, type FaultKind, FaultyDisk } from './disk-fault.ts';
import { SmallDisk } from './small-disk.ts';

export interface DiskOptions {
  readonly cycles: number;
  readonly seed: number;
  /** A gateway to which a commit that failed counts as done. */
  readonly control: boolean;
  readonly say: (line: string) => void;
}

export interface DiskResult {
  readonly cycles: number;
  readonly byFault: Readonly<Partial<Record<FaultKind, number>>>;
  /** Those that lasted until the gateway had noticed them. */
  readonly judgedByFault: Readonly<Partial<Record<FaultKind, number>>>;
  readonly killsDuringFault: number;
  /** That ended, because nothing could be read. */
  readonly startsDuringFault: number;
  readonly ackedCount: number;
  readonly lostCount: number;
  /** From the mended disk to the next acknowledgement. */
  readonly backMsMedian: number;
  readonly backMsMax: number;
  readonly problems: readonly string[];
}

const DISK_BYTES = 64 * 2 ** 20;
const MAX_BACK_MS = 5_000;
const WAIT_MS = 20_000;
/** It reads all of both files, and waits for what it does not get. */
const START_MS = 60_000;
/** For the acknowledgements that were on their way when the disk failed. */
const LAST_ACKS_MS = 300;
const UNNOTICED_MS = 10_000;
const READ_ERROR_MS = 8_000;
const CONTROL = ['--import', new URL('./acknowledge-failed-commits.ts', import.meta.url).href];

class DiskRun {
  readonly #gateway: GatewayProcess;
  readonly #fleet: Fleet;
  readonly #disk: FaultyDisk;
  readonly #random: SeededRandom;
  readonly #control: boolean;
  readonly problems: string[] = [];
  readonly backMs: number[] = [];
  readonly byFault: Partial<Record<FaultKind, number>> = {};
  readonly judgedByFault: Partial<Record<FaultKind, number>> = {};
  killsDuringFault = 0;
  startsDuringFault = 0;

  constructor(parts: {
    gateway: GatewayProcess;
    fleet: Fleet;
    disk: FaultyDisk;
    random: SeededRandom;
    control: boolean;
  }) {
    this.#gateway = parts.gateway;
    this.#fleet = parts.fleet;
    this.#disk = parts.disk;
    this.#random = parts.random;
    this.#control = parts.control;
  }

  async cycle(index: number): Promise<void> {
    const { kinds } = this.#disk;
    const kind = kinds[index % kinds.length] ?? 'no_space';
    this.byFault[kind] = (this.byFault[kind] ?? 0) + 1;
    const before = this.#fleet.ackedCount;
    await this.#until(() => this.#fleet.ackedCount > before, 'acknowledgements before the fault');
    await delay(this.#random.between(0, 300));
    if (kind === 'unread_pages' || (kind === 'read_error' && this.#random.chance(0.5)))
      await this.#startUnder(kind, `cycle ${index}, ${kind}`);
    else {
      this.#disk.break(kind);
      await this.#duringFault(kind, `cycle ${index}, ${kind}`);
    }
    await this.#mend(`cycle ${index}, ${kind}`);
  }

  async #duringFault(kind: FaultKind, where: string): Promise<void> {
    if (this.#control) {
      await delay(1_000);
      return;
    }
    if (kind === 'read_error') {
      // What is written needs not be read, so that storing may go on: only an end of the process would be wrong.
      await delay(this.#random.between(1_000, READ_ERROR_MS));
      this.judgedByFault[kind] = (this.judgedByFault[kind] ?? 0) + 1;
      return;
    }
    const says = async () => (await this.#storeHealth()) !== null;
    if (kind === 'no_space') {
      // While files need not grow, it may go on storing for as long as it likes.
      const isNoticed = await waitFor(says, { what: 'health', timeoutMs: UNNOTICED_MS }).catch(() => false);
      if (!isNoticed) return;
    } else await this.#until(says, `${where}: health to say that nothing is stored`);
    await delay(LAST_ACKS_MS);
    const acked = this.#fleet.ackedCount;
    if (kind === 'full') await this.#until(() => progress(this.#gateway.dataDir).pending === 0, `${where}: the drain`);
    else await delay(500);
    const more = this.#fleet.ackedCount - acked;
    this.judgedByFault[kind] = (this.judgedByFault[kind] ?? 0) + 1;
    if (more > 0) this.problems.push(`${where}: ${more} records acknowledged while nothing could be stored`);
    if (this.#random.chance(0.25)) await this.#kill(kind);
  }

  /** Nothing may be given up for what cannot be read: until it can, each start ends, and says why. */
  async #startUnder(kind: FaultKind, where: string): Promise<void> {
    await this.#gateway.stop('SIGKILL');
    this.#disk.break(kind);
    const before = statSync(this.#gateway.logFile).size;
    this.#gateway.launch();
    const isOver = () => this.#gateway.pid === undefined;
    await waitFor(isOver, { what: `${where}: a start to end`, timeoutMs: START_MS });
    const { code } = await this.#gateway.exited();
    const said = readFileSync(this.#gateway.logFile).subarray(before);
    if (code !== 1 || !said.includes('store_unreadable'))
      this.problems.push(`${where}: a start ended with ${code}:\n${this.#gateway.logTail(3)}`);
    this.startsDuringFault += 1;
    this.judgedByFault[kind] = (this.judgedByFault[kind] ?? 0) + 1;
    this.#disk.mend();
    this.#gateway.launch();
    await this.#until(() => this.#storeHealth().then(() => true), 'the gateway to answer after a start');
  }

  /** The process ends in the middle; on a full disk it must come up all the same. */
  async #kill(kind: FaultKind): Promise<void> {
    this.killsDuringFault += 1;
    await this.#gateway.stop('SIGKILL');
    if (kind !== 'full') this.#disk.mend();
    this.#gateway.launch();
    await this.#until(() => this.#storeHealth().then(() => true), 'the gateway to answer after a kill');
  }

  async #mend(where: string): Promise<void> {
    this.#disk.mend();
    const mendedAt = performance.now();
    const acked = this.#fleet.ackedCount;
    await this.#until(() => this.#fleet.ackedCount > acked, `${where}: acknowledgements again`);
    const backMs = performance.now() - mendedAt;
    this.backMs.push(backMs);
    if (backMs > MAX_BACK_MS) this.problems.push(`${where}: back only after ${Math.round(backMs)} ms`);
    if (this.#control) return;
    await this.#until(async () => (await this.#storeHealth()) === null, `${where}: health to be well again`);
  }

  /** Kinds of which nothing is known after so many faults as there are kinds. */
  unjudged(): string[] {
    const kinds = FAULTS.filter((kind) => this.judgedByFault[kind] === undefined);
    return kinds.map((kind) =>
      this.#disk.kinds.includes(kind)
        ? `${kind}: the gateway never noticed it, so nothing was judged`
        : `${kind}: nothing was judged, run this where a file system can be mounted over a loop device (mkfs.ext4, root)`,
    );
  }

  /** Why nothing can be stored, or null. */
  async #storeHealth(): Promise<string | null> {
    const response = await fetch(`http://127.0.0.1:${this.#gateway.apiPort}/health/ready`, {
      signal: AbortSignal.timeout(2_000),
    });
    const { parts } = (await response.json()) as { parts: readonly { name: string; reason: string | null }[] };
    return parts.find(({ name }) => name === 'store')?.reason ?? null;
  }

  async #until(probe: () => Promise<boolean> | boolean, what: string): Promise<void> {
    await waitFor(probe, { what, timeoutMs: WAIT_MS });
  }
}

export async function runDisk(options: DiskOptions): Promise<DiskResult> {
  const shimDirectory = mkdtempSync(join(tmpdir(), 'sluice-disk-'));
  const faultFile = join(shimDirectory, 'fault');
  writeFileSync(faultFile, '-');
  const sink = await openSink('file', 'kafkajs');
  const gateway = await GatewayProcess.create({
    config: { uplinks: sink.uplinks, buffer: { keepFree: '0B', maxBytes: '24MiB', whenFull: 'block' } },
    nodeOptions: options.control ? CONTROL : [],
    env: shimEnvironment({ directory: '{directory}/data', faultFile }),
  });
  mkdirSync(gateway.dataDir, { recursive: true });
  const image = join(shimDirectory, 'disk');
  const small = SmallDisk.mount({ image, bytes: DISK_BYTES, mountPoint: gateway.dataDir });
  const disk = new FaultyDisk(faultFile, small);
  const fleet = new Fleet({ port: gateway.mqttPort, apiPort: gateway.apiPort, seed: options.seed, messagesPerS: 300 });
  const random = new SeededRandom(options.seed);
  const run = new DiskRun({ gateway, fleet, disk, random, control: options.control });
  try {
    await gateway.start();
    fleet.start();
    for (let index = 0; index < options.cycles; index += 1) {
      await run.cycle(index);
      if ((index + 1) % 10 === 0)
        options.say(`${index + 1} of ${options.cycles} faults, ${run.problems.length} problems`);
    }
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    if (existsSync(join(gateway.dataDir, 'log.db.damaged'))) run.problems.push('a log that was whole was set aside');
    if (options.cycles >= FAULTS.length) run.problems.push(...run.unjudged());
    run.problems.push(...countStore(gateway.dataDir, { deep: true }).problems);
    const { verdict, problems } = await judgeRun(gateway, fleet, sink.arrivals(gateway));
    const backMs = run.backMs.toSorted((a, b) => a - b);
    return {
      cycles: options.cycles,
      byFault: run.byFault,
      judgedByFault: run.judgedByFault,
      killsDuringFault: run.killsDuringFault,
      startsDuringFault: run.startsDuringFault,
      ackedCount: verdict.ackedCount,
      lostCount: verdict.lostCount,
      backMsMedian: Math.round(backMs[Math.floor(backMs.length / 2)] ?? 0),
      backMsMax: Math.round(backMs.at(-1) ?? 0),
      problems: [...run.problems, ...problems.filter((problem) => !problem.startsWith('no request was repeated'))],
    };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.stop('SIGKILL');
    disk.close();
    await gateway.dispose();
    await sink.close();
    rmSync(shimDirectory, { recursive: true, force: true });
  }
}

export const scenario = defineScenario({
  about:
    'a disk that is full, fails, is read-only or does not sync: no acknowledgement of what is not stored, and back by itself',
  usage: '[--cycles N] [--seed S] [--control]',
  options: {
    cycles: wholeNumber(20, 'faults', 1),
    control: flag('let a commit that failed count as done: records must be lost'),
  },
  run: async ({ cycles, control, seed, say }) => {
    const result = await runDisk({ cycles, control, seed, say });
    if (!control) {
      const lines = result.problems.map((problem) => `PROBLEM ${problem}`);
      return { passed: lines.length === 0, lines, json: { control, ...result } };
    }
    const passed = result.lostCount > 0;
    const line = passed
      ? `as it must, the control has ${result.lostCount} acknowledged records lost`
      : 'FAIL: this run could not have noticed any loss';
    const { problems: _, ...figures } = result;
    return { passed, lines: [line], json: { control, ...figures } };
  },
});
