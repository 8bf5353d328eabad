import { readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { type GatewayExit, GatewayProcess } from '../../support/gateway-process.ts';
import { PtyPair } from '../../support/pty-pair.ts';
import { waitFor } from '../../support/wait-for.ts';
import { drained } from '../drained.ts';
import { Fleet } from '../fleet.ts';
import { judgeRun } from '../promises.ts';
import { openSink } from '../sink.ts';
import { breakDownFile, endOf, type ProcessFault } from './faults.ts';
import { WATCHDOG_MS, Watchdog } from './watchdog.ts';

export interface FaultResult {
  readonly name: string;
  /** From the fault until the process was gone; null when it went on. */
  readonly endedAfterMs: number | null;
  readonly code: number | string | null;
  /** It had to end and did not. */
  readonly livedOn: boolean;
  /** Its log did not say what it must say. */
  readonly isSilent: boolean;
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly problems: readonly string[];
}

/** What is broken on purpose in the gateway: the module beside this one that is imported into it. */
export type Control = 'zombie' | 'nobody-looks';

/** Of each of its devices. */
const MESSAGES_PER_S = 100;
/** For a minute, beside others. */
const FEW_PER_S = 10;
const AT_WORK_COUNT = 50;
const AT_WORK_WITHIN_MS = 30_000;
const ENDS_WITHIN_MS = 30_000;
/** A minute of its own count, of a machine that is busy. */
const ENDS_ALONE_WITHIN_MS = 120_000;
/** By then it would have ended on a machine that is not. */
const CONTROL_LIVES_MS = 75_000;
const LOOK_MS = 500;

const importing = (name: string): string[] => ['--import', new URL(`./${name}.ts`, import.meta.url).href];

/** Does it to a gateway at work, which must then keep its promises. */
export async function play(
  fault: ProcessFault,
  { seed, control }: { readonly seed: number; readonly control?: Control },
): Promise<FaultResult> {
  const sink = await openSink('file', 'kafkajs');
  const watched = { NOTIFY_SOCKET: '{directory}/notify.sock', WATCHDOG_USEC: String(WATCHDOG_MS * 1_000) };
  const port = new PtyPair();
  const serial = fault.needsPort ? [{ name: 'port', path: port.path }] : [];
  const gateway = await GatewayProcess.create({
    config: { uplinks: sink.uplinks, serial },
    nodeOptions: ['--max-old-space-size=256', ...importing('break-down'), ...(control ? importing(control) : [])],
    env: { BREAK_DOWN_FILE: '{directory}/break-down', ...(fault.isAlone ? { NOTIFY_SOCKET: '' } : watched) },
  });
  const watchdog = new Watchdog(gateway);
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: fault.isAlone ? FEW_PER_S : MESSAGES_PER_S });
  try {
    if (fault.needsPort) await port.plug();
    watchdog.start();
    await startInTurn(gateway);
    fleet.start();
    await waitFor(() => fleet.ackedCount >= AT_WORK_COUNT, {
      what: 'the fleet to be at work',
      timeoutMs: AT_WORK_WITHIN_MS,
    });
    const end = await suffer(fault, { gateway, fleet, control });
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, sink.arrivals(gateway));
    const bites = fault.outcome === 'is ended' ? 1 : 0;
    // Whatever ended the process: it broke nothing that the next start would have to repair.
    const repaired = /the store was damaged/.test(readFileSync(gateway.logFile, 'utf8'))
      ? ['a start repaired the store']
      : [];
    const bitten = watchdog.bitCount === bites ? [] : [`the watchdog ended it ${watchdog.bitCount} times`];
    return {
      name: fault.name,
      ...end,
      ackedCount: verdict.ackedCount,
      lostCount: verdict.lostCount,
      problems: [...end.problems, ...problems, ...repaired, ...bitten],
    };
  } catch (cause) {
    throw new Error(`"${fault.name}" broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    watchdog.stop();
    fleet.close();
    await gateway.dispose();
    await sink.close();
    await port.dispose();
  }
}

type End = Omit<FaultResult, 'name' | 'ackedCount' | 'lostCount'>;

interface AtWork {
  readonly gateway: GatewayProcess;
  readonly fleet: Fleet;
  readonly control: Control | undefined;
}

/** Ends with a gateway that is ready. */
async function suffer(fault: ProcessFault, { gateway, fleet, control }: AtWork): Promise<End> {
  const startedAt = performance.now();
  const exited = gateway.exited();
  await fault.provoke(gateway, fleet);
  if (fault.outcome === 'goes on') {
    await gateway.ready();
    const isSilent = !says(fault, gateway);
    return { endedAfterMs: null, code: null, livedOn: false, isSilent, problems: unsaid(fault, isSilent) };
  }
  const shown = fault.shows === undefined ? undefined : seesAtReady(gateway, fault.shows, exited);
  const limitMs = control === 'nobody-looks' ? CONTROL_LIVES_MS : limitOf(fault);
  const exit = await Promise.race([exited, delay(limitMs, undefined, { ref: false })]);
  const isSilent = !says(fault, gateway);
  if (exit === undefined) await gateway.stop('SIGKILL');
  const endedAfterMs = Math.round(performance.now() - startedAt);
  const code = exit?.code ?? exit?.signal ?? null;
  const problems = unsaid(fault, isSilent);
  if ((await shown) === false) problems.push(`/health/ready says nothing like ${fault.shows}`);
  if (exit === undefined) problems.push(`it lived on for ${limitMs} ms`);
  else if (code !== endOf(fault)) problems.push(`it ended with ${code}, not ${endOf(fault)}`);
  rmSync(breakDownFile(gateway), { force: true });
  await startInTurn(gateway);
  return { endedAfterMs, code, livedOn: exit === undefined, isSilent, problems };
}

let lastStart: Promise<void> = Promise.resolve();

/** Loading the program keeps a processor busy: many at once would only make all of them late. */
function startInTurn(gateway: GatewayProcess): Promise<void> {
  const start = (): Promise<void> => gateway.start();
  lastStart = lastStart.then(start, start);
  return lastStart;
}

function limitOf({ isAlone }: ProcessFault): number {
  return isAlone ? ENDS_ALONE_WITHIN_MS : ENDS_WITHIN_MS;
}

/** Whether its API says so before the process is gone. */
async function seesAtReady(gateway: GatewayProcess, what: RegExp, exited: Promise<GatewayExit>): Promise<boolean> {
  const ended = exited.then(() => true);
  for (let isOver = false; !isOver; isOver = await Promise.race([ended, delay(LOOK_MS, false, { ref: false })])) {
    const answer = await fetch(`http://127.0.0.1:${gateway.apiPort}/health/ready`).then(
      (response) => response.text(),
      () => '',
    );
    if (what.test(answer)) return true;
  }
  return false;
}

function says({ says }: ProcessFault, gateway: GatewayProcess): boolean {
  return says.test(readFileSync(gateway.logFile, 'utf8'));
}

function unsaid({ says }: ProcessFault, isSilent: boolean): string[] {
  return isSilent ? [`its log says nothing like ${says}`] : [];
}
