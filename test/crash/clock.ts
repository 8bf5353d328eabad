/**
 * Boards without a battery start in 1970, batteries that ran out start anywhere, and time servers set clocks while the
 * gateway runs. Order is by seq, nothing expires early, forwarding waits for the first synchronisation, and whatever
 * waits goes by time that passed.
 */

import { chmodSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { SeededRandom } from '../support/random.ts';
import { countStore, progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { defineScenario, flag, type Run, wholeNumber } from './scenario.ts';
import { openSink } from './sink.ts';

interface ClockRun extends Run {
  readonly cycles: number;
  readonly control: boolean;
}

interface ClockResult {
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly droppedCount: number;
  readonly disorderedCount: number;
  /** Of all times from the synchronisation to the first record that was delivered. */
  readonly slowestSyncMs: number;
  readonly problems: readonly string[];
}

const HOUR_MS = 3_600_000;
const YEAR_MS = 365.25 * 24 * HOUR_MS;
/** Where the clock stands when the gateway starts. */
const STARTS: readonly (readonly [name: string, offsetMs: () => number])[] = [
  ['1970', () => -Date.now()],
  ['+56 years', () => 56 * YEAR_MS],
  ['-1 h', () => -HOUR_MS],
  ['+10 years', () => 10 * YEAR_MS],
  ['right, but nobody says so', () => 0],
];
/** What happens to it while nobody has synchronised it. */
const DAYS_MS = 3 * 24 * HOUR_MS;
const JUMPS = [-HOUR_MS, 10 * YEAR_MS, 56 * YEAR_MS, -30 * YEAR_MS];
const UNSYNCED_MS = 300;
const GOES_ON_MS = 10_000;
const DRAIN_MS = 60_000;
const importing = (module: string): string[] => ['--import', new URL(module, import.meta.url).href];

class Scene {
  readonly gateway: GatewayProcess;
  readonly fleet: Fleet;
  readonly problems: string[] = [];
  slowestSyncMs = 0;

  constructor(gateway: GatewayProcess, fleet: Fleet) {
    this.gateway = gateway;
    this.fleet = fleet;
  }

  setClock(offsetMs: number, state: 'synced' | 'unsynced'): void {
    const file = join(this.gateway.directory, 'clock');
    writeFileSync(`${file}.new`, `${Math.round(offsetMs)} ${state}`);
    renameSync(`${file}.new`, file);
  }

  /** A life of the gateway: it starts with a wrong clock, is set right, and is set wrong again while it runs. */
  async cycle(number: number, random: SeededRandom): Promise<void> {
    const [name, offsetMs] = STARTS[number % STARTS.length] ?? ['', () => 0];
    const startMs = offsetMs();
    await this.gateway.stop('SIGKILL');
    this.setClock(startMs, 'unsynced');
    await this.gateway.start();
    const before = progress(this.gateway.dataDir).delivered;
    await delay(UNSYNCED_MS);
    this.setClock(startMs + DAYS_MS, 'unsynced');
    await this.#goesOn(`start at ${name}`, 'stored', () => this.#ackedCount());
    if (progress(this.gateway.dataDir).delivered > before)
      this.problems.push(`${name}: forwarded before the clock was right`);
    const syncedAt = performance.now();
    this.setClock(0, 'synced');
    await this.#goesOn(`synchronised after ${name}`, 'delivered', () => progress(this.gateway.dataDir).delivered);
    this.slowestSyncMs = Math.max(this.slowestSyncMs, Math.round(performance.now() - syncedAt));
    const jumpMs = JUMPS[random.between(0, JUMPS.length - 1)] ?? 0;
    this.setClock(jumpMs, 'synced');
    await this.#goesOn(`set by ${jumpMs / HOUR_MS} h`, 'stored', () => this.#ackedCount());
    await this.#goesOn(`set by ${jumpMs / HOUR_MS} h`, 'delivered', () => progress(this.gateway.dataDir).delivered);
    this.setClock(0, 'synced');
  }

  #ackedCount(): number {
    return this.fleet.senders.reduce((sum, { ledger }) => sum + ledger.ackedCount, 0);
  }

  /** More than a batch more: what was on its way does not count. */
  async #goesOn(when: string, what: string, count: () => number): Promise<void> {
    const wanted = count() + 100;
    const isThere = (): boolean => count() >= wanted;
    await waitFor(isThere, { what, timeoutMs: GOES_ON_MS, everyMs: 10 }).catch(() => {
      this.problems.push(`${when}: nothing was ${what} for ${GOES_ON_MS} ms`);
    });
  }
}

async function runClock({ cycles, seed, control, say }: ClockRun): Promise<ClockResult> {
  const sink = await openSink('file', 'kafkajs');
  const gateway = await GatewayProcess.create({
    config: { uplinks: sink.uplinks, clock: { waitForSync: '10m' } },
    nodeOptions: [...importing('./clock/wrong-clock.ts'), ...(control ? importing('./clock/naive-age.ts') : [])],
    env: { WRONG_CLOCK_FILE: '{directory}/clock', PATH: `{directory}/bin:${process.env['PATH'] ?? ''}` },
  });
  sayUnsynchronised(gateway);
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: 100 });
  const scene = new Scene(gateway, fleet);
  const random = new SeededRandom(seed);
  try {
    fleet.start();
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      await scene.cycle(cycle, random);
      if (cycle % 10 === 9) say(`${cycle + 1} of ${cycles} cycles, ${scene.problems.length} problems`);
    }
    await fleet.finish();
    await waitFor(() => progress(gateway.dataDir).pending === 0, { what: 'the backlog to go', timeoutMs: DRAIN_MS });
    await gateway.stop('SIGTERM');
    const { lanes } = countStore(gateway.dataDir);
    const droppedCount = lanes.reduce((sum, lane) => sum + lane.droppedCount, 0);
    const { verdict, problems } = await judgeRun(gateway, fleet, sink.arrivals(gateway));
    const { ackedCount, lostCount, disorderedCount } = verdict;
    const expired = droppedCount === 0 ? [] : [`${droppedCount} records expired early`];
    const { slowestSyncMs } = scene;
    const all = [...scene.problems, ...expired, ...problems];
    return { ackedCount, lostCount, droppedCount, disorderedCount, slowestSyncMs, problems: all };
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    fleet.close();
    await gateway.dispose();
    await sink.close();
  }
}

/** Asked beside systemd's file; that alone says when the clock is right. */
function sayUnsynchronised(gateway: GatewayProcess): void {
  const directory = join(gateway.directory, 'bin');
  mkdirSync(directory);
  writeFileSync(join(directory, 'timedatectl'), '#!/bin/sh\necho no\n');
  chmodSync(join(directory, 'timedatectl'), 0o755);
}

export const scenario = defineScenario({
  about:
    'clocks that are wrong, late, and set while it runs: order by seq, nothing expires early, nothing waits for them',
  usage: '[--cycles N] [--seed S] [--control]',
  options: {
    cycles: wholeNumber(20, 'starts with a wrong clock', 1),
    control: flag('drop what is old by the clock on the wall: records must expire early'),
  },
  run: async ({ cycles, control, seed, say }) => {
    const result = await runClock({ cycles, control, seed, say });
    const { droppedCount, problems } = result;
    const seen =
      droppedCount > 0
        ? `as it must, the control dropped ${droppedCount} records early`
        : 'FAIL: this run could not have noticed an early end';
    const passed = control ? droppedCount > 0 : problems.length === 0;
    const lines = control ? [seen] : problems.map((problem) => `PROBLEM ${problem}`);
    return { passed, lines, json: { cycles, control, ...result } };
  },
});
