/**
 * Sixteen devices at 115,200 baud and one at 1 MB/s at once, on pseudo-terminals whose writer waits for nobody: what the
 * gateway needs of a processor to decode and store all of it, and that it loses no frame.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { serialPortsOpen } from '../support/serial-ports-open.ts';
import { readTelemetry } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { type Usage, UsageWatch } from './process-usage.ts';
import { measured, median, say, table, thousands, verdict } from './report.ts';
import { type FrameVerdict, judgeFrames, type SentFrames } from './serial/frame-judge.ts';
import { LineWriter, type Written, type WrittenLine } from './serial/line-writer.ts';
import { benchLines, type Line, type LineKind, wholeFrames } from './serial/lines.ts';

export interface SerialOptions {
  readonly rounds: number;
  readonly seconds: number;
  readonly lines: LineKind | 'all';
  /** Stops the gateway for some seconds: frames must be lost, and both sides must see it. */
  readonly control: boolean;
}

interface Round extends FrameVerdict, Usage {
  readonly overruns: number;
  readonly overrunBytes: number;
  readonly kernelWaits: number;
  /** How long the writer, at real-time priority, got no processor: then the machine stood still, and not the gateway. */
  readonly stoodStillMs: number;
  /** Of all lines together, as they were really written. */
  readonly bytesPerS: number;
  /** Of one processor. */
  readonly cpuShare: number;
  readonly commitsPerS: number;
  readonly recordsPerS: number;
}

/** V8 compiles what is busy, and gives back what the start took. */
const WARM_UP_S = 5;
const PAUSE_MS = 3_000;
const AIM_CPU = 0.4;
/** Below this the writer, and not the gateway, is what was measured. */
const WRITER_MUST_REACH = 0.98;

export async function benchSerial(options: SerialOptions): Promise<boolean> {
  const lines = benchLines().filter(({ kind }) => options.lines === 'all' || options.lines === kind);
  const rounds: Round[] = [];
  for (let round = 1; round <= options.rounds; round += 1) {
    const result = await play(lines, options);
    rounds.push(result);
    const { seconds, control } = options;
    measured('serial', { lines: options.lines, round, seconds, control, ...result });
  }
  return options.control ? reportControl(rounds) : report(rounds, lines);
}

async function play(lines: readonly Line[], { seconds, control }: SerialOptions): Promise<Round> {
  const writer = new LineWriter(lines, WARM_UP_S + seconds);
  const serial = writer.lines.map(({ line, path }) => ({ name: line.name, path, ...line.config }));
  const gateway = await GatewayProcess.create({ build: 'launcher', config: { serial } });
  try {
    await writer.plug();
    await gateway.start();
    await serialPortsOpen(gateway, 20_000);
    const warmUp = await writer.play(WARM_UP_S);
    const work = await measure(gateway, async () => {
      const [written] = await Promise.all([writer.play(seconds), control ? pause(gateway, seconds) : undefined]);
      return written;
    });
    await allStored(gateway);
    await gateway.stop('SIGTERM');
    const { written, ...measures } = work;
    const verdict = judgeFrames(sentFrames(writer, warmUp, written), readTelemetry(gateway.dataDir));
    return { ...verdict, ...measures, ...writtenCounts(warmUp, written) };
  } catch (cause) {
    throw new Error(`the round broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    await writer.dispose();
    await gateway.dispose();
  }
}

async function measure(gateway: GatewayProcess, work: () => Promise<Written>) {
  const before = await counts(gateway);
  const startedAt = performance.now();
  const watch = new UsageWatch([gateway.pid ?? 0]);
  const written = await work();
  const usage = watch.stop();
  const seconds = (performance.now() - startedAt) / 1000;
  const after = await counts(gateway);
  return {
    ...usage,
    written,
    cpuShare: Math.round((usage.cpuS / seconds) * 1000) / 1000,
    commitsPerS: Math.round((after.commits - before.commits) / seconds),
    recordsPerS: Math.round((after.records - before.records) / seconds),
  };
}

/** What of the measured time is judged. */
function sentFrames({ lines }: LineWriter, warmUp: Written, written: Written): SentFrames[] {
  return lines.map(({ line, beginnings }, index) => {
    const from = warmUp.lines[index]?.position ?? 0;
    const to = written.lines[index]?.position ?? 0;
    return { device: line.name, ...wholeFrames(beginnings, from, to), stored: (number) => line.stored(number) };
  });
}

function writtenCounts(warmUp: Written, written: Written) {
  const sum = (of: (line: WrittenLine) => number): number =>
    [written, warmUp]
      .map(({ lines }) => lines.reduce((total, line) => total + of(line), 0))
      .reduce((end, beginning) => end - beginning);
  return {
    overruns: sum(({ overruns }) => overruns),
    overrunBytes: sum(({ overrun_bytes }) => overrun_bytes),
    kernelWaits: sum(({ kernel_waits }) => kernel_waits),
    stoodStillMs: Math.round((sum(({ stood_still_s }) => stood_still_s) * 1000) / written.lines.length),
    bytesPerS: Math.round(sum(({ position }) => position) / written.seconds),
  };
}

async function pause(gateway: GatewayProcess, seconds: number): Promise<void> {
  await delay((seconds * 1000) / 2);
  process.kill(gateway.pid ?? 0, 'SIGSTOP');
  await delay(PAUSE_MS);
  process.kill(gateway.pid ?? 0, 'SIGCONT');
}

interface Counts {
  readonly commits: number;
  readonly records: number;
}

async function counts({ apiPort }: GatewayProcess): Promise<Counts> {
  const response = await fetch(`http://127.0.0.1:${apiPort}/metrics`);
  const text = await response.text();
  const value = (name: string): number =>
    Number(
      text
        .split('\n')
        .find((line) => line.startsWith(name))
        ?.split(' ')[1],
    );
  return {
    commits: value('sluice_buffer_commit_duration_seconds_count'),
    records: value('sluice_records_accepted_total{stream="telemetry"}'),
  };
}

/** When nothing more is stored for a moment. */
async function allStored(gateway: GatewayProcess): Promise<void> {
  let before = -1;
  const isStill = async (): Promise<boolean> => {
    const { records } = await counts(gateway);
    const was = before;
    before = records;
    return records === was;
  };
  await waitFor(isStill, { what: 'what was sent to be stored', timeoutMs: 20_000, everyMs: 500 });
}

function report(rounds: readonly Round[], lines: readonly Line[]): boolean {
  const of = (what: 'cpuShare' | 'commitsPerS' | 'recordsPerS' | 'bytesPerS' | 'peakRssMb'): number =>
    median(rounds.map((round) => round[what]));
  const lost = Math.max(...rounds.map(brokenCount));
  const overruns = Math.max(...rounds.map((round) => round.overruns));
  const stoodStillMs = Math.max(...rounds.map((round) => round.stoodStillMs));
  const nominal = lines.reduce((sum, { bytesPerS }) => sum + bytesPerS, 0);
  const met = [verdict(of('cpuShare'), AIM_CPU, 'lower'), verdict(lost, 0, 'lower'), verdict(overruns, 0, 'lower')];
  say(
    table(
      [`${lines.length} lines, ${thousands(nominal)} bytes/s`, 'measured', 'aim', ''],
      [
        ['of one processor, decoding and storing', of('cpuShare').toFixed(2), `≤ ${AIM_CPU}`, met[0] ?? ''],
        ['frames lost, doubled or damaged', String(lost), '0', met[1] ?? ''],
        ['times that a port was not read in time', String(overruns), '0', met[2] ?? ''],
        ['the whole machine stood still, at most', `${stoodStillMs} ms`, '', ''],
        ['records/s', thousands(of('recordsPerS')), '', ''],
        ['commits/s', thousands(of('commitsPerS')), '', ''],
        ['peak RSS', `${of('peakRssMb')} MB`, '', ''],
      ],
    ),
  );
  if (of('bytesPerS') >= WRITER_MUST_REACH * nominal) return met.every((word) => word === 'met');
  say(`VOID: the writer wrote only ${thousands(of('bytesPerS'))} bytes/s, ${thousands(nominal)} are to be written`);
  return false;
}

function brokenCount({ lostCount, doubledCount, damagedCount }: FrameVerdict): number {
  return lostCount + doubledCount + damagedCount;
}

function reportControl(rounds: readonly Round[]): boolean {
  const isSeen = rounds.every(({ overruns, lostCount }) => overruns > 0 && lostCount > 0);
  for (const { overruns, overrunBytes, lostCount } of rounds) {
    say(`${thousands(overruns)} overruns, ${thousands(overrunBytes)} bytes; ${thousands(lostCount)} frames lost`);
  }
  say(isSeen ? 'as it must, the control has lost frames' : 'FAIL: these rounds could not have noticed a loss');
  return isSeen;
}
