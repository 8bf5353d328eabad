/**
 * What happens to the process itself: a thread dies, memory or descriptors run out, the loop is blocked, a second
 * daemon wants the same data. It must end with a clear line and a code that is not 0, or go on; it must never live on
 * and acknowledge what it does not store.
 */

import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { progress } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { Fleet } from './fleet.ts';
import { breakDownFile, FAULTS, type ProcessFault } from './process/faults.ts';
import { WATCHDOG_MS, Watchdog } from './process/watchdog.ts';
import { judgeRun } from './promises.ts';
import { defineScenario, flag } from './scenario.ts';
import { openSink } from './sink.ts';

interface FaultResult {
  readonly name: string;
  /** From the fault until the process was gone; null when it went on. */
  readonly endedAfterMs: number | null;
  readonly code: number | string | null;
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly problems: readonly string[];
}

const MESSAGES_PER_S = 100;
const AT_WORK_MS = 500;
const ENDS_WITHIN_MS = 30_000;
const DRAIN_MS = 60_000;
const importing = (module: string): string[] => ['--import', new URL(module, import.meta.url).href];

async function play(fault: ProcessFault, { seed, control }: { seed: number; control: boolean }): Promise<FaultResult> {
  const sink = await openSink('file', 'kafkajs');
  const gateway = await GatewayProcess.create({
    config: { uplinks: sink.uplinks },
    nodeOptions: [
      '--max-old-space-size=256',
      ...importing('./process/break-down.ts'),
      ...(control ? importing('./process/zombie.ts') : []),
    ],
    env: {
      BREAK_DOWN_FILE: '{directory}/break-down',
      NOTIFY_SOCKET: '{directory}/notify.sock',
      WATCHDOG_USEC: String(WATCHDOG_MS * 1_000),
    },
  });
  const watchdog = new Watchdog(gateway);
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: MESSAGES_PER_S });
  try {
    watchdog.start();
    await gateway.start();
    fleet.start();
    await delay(AT_WORK_MS);
    const end = await suffer(fault, gateway);
    await fleet.finish();
    await waitFor(() => progress(gateway.dataDir).pending === 0, { what: 'the backlog to go', timeoutMs: DRAIN_MS });
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, sink.arrivals(gateway));
    const { ackedCount, lostCount } = verdict;
    const bites = fault.outcome === 'is ended' ? 1 : 0;
    const bitten = watchdog.bitCount === bites ? [] : [`the watchdog ended it ${watchdog.bitCount} times`];
    return { name: fault.name, ...end, ackedCount, lostCount, problems: [...end.problems, ...problems, ...bitten] };
  } catch (cause) {
    throw new Error(`"${fault.name}" broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    watchdog.stop();
    fleet.close();
    await gateway.dispose();
    await sink.close();
  }
}

type End = Pick<FaultResult, 'endedAfterMs' | 'code' | 'problems'>;

/** Ends with a gateway that is ready. */
async function suffer(fault: ProcessFault, gateway: GatewayProcess): Promise<End> {
  const startedAt = performance.now();
  const exited = gateway.exited();
  await fault.provoke(gateway);
  if (fault.outcome === 'goes on') {
    await gateway.ready();
    return { endedAfterMs: null, code: null, problems: silence(fault, gateway) };
  }
  const late = delay(ENDS_WITHIN_MS, undefined, { ref: false });
  const exit = await Promise.race([exited, late]);
  if (exit === undefined) await gateway.stop('SIGKILL');
  const endedAfterMs = Math.round(performance.now() - startedAt);
  const code = exit?.code ?? exit?.signal ?? null;
  const problems = silence(fault, gateway);
  if (exit === undefined) problems.push(`it lived on for ${ENDS_WITHIN_MS} ms`);
  if (code === 0) problems.push('it ended with code 0');
  rmSync(breakDownFile(gateway), { force: true });
  await gateway.start();
  return { endedAfterMs, code, problems };
}

function silence({ says }: ProcessFault, gateway: GatewayProcess): string[] {
  return says.test(readFileSync(gateway.logFile, 'utf8')) ? [] : [`its log says nothing like ${says}`];
}

export const scenario = defineScenario({
  about: 'threads die, memory and descriptors run out, the loop blocks: the process ends with a clear line, or goes on',
  usage: '[--seed S] [--control]',
  options: { control: flag('answer before the commit and live on without a store: records must be lost') },
  run: async ({ control, seed, say }) => {
    const results: FaultResult[] = [];
    for (const fault of control ? FAULTS.slice(0, 1) : FAULTS) {
      const result = await play(fault, { seed, control });
      results.push(result);
      say(lineOf(result));
    }
    const lostCount = results.reduce((sum, result) => sum + result.lostCount, 0);
    const problems = results.flatMap(({ name, problems }) => problems.map((problem) => `PROBLEM ${name}: ${problem}`));
    const seen =
      lostCount > 0
        ? `as it must, the control lost ${lostCount} acknowledged records`
        : 'FAIL: this run could not have noticed any loss';
    const passed = control ? lostCount > 0 : problems.length === 0;
    return { passed, lines: control ? [seen] : problems, json: { control, results } };
  },
});

function lineOf({ name, endedAfterMs, code, ackedCount, problems }: FaultResult): string {
  const end = endedAfterMs === null ? 'went on' : `ended after ${endedAfterMs} ms with ${code}`;
  return `${problems.length === 0 ? 'ok  ' : 'FAIL'} ${name}: ${end}, ${ackedCount} acknowledged`;
}
