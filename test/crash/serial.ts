/**
 * Devices on pseudo-terminals that send each frame until it is acknowledged on the wire: the gateway is killed under
 * them, or they are unplugged and plugged in again, many times; then everything is drained and counted.
 */

import { setTimeout as delay } from 'node:timers/promises';
import { createFraming } from '../../src/sources/serial/framing/create-framing.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { SeededRandom } from '../support/random.ts';
import { serialPortsOpen } from '../support/serial-ports-open.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';
import { drained } from './drained.ts';
import { Judge, type Verdict } from './judge.ts';
import { choice, defineScenario, flag, type Run, wholeNumber } from './scenario.ts';
import { IN_FLIGHT, SerialSender } from './serial/serial-sender.ts';
import { openSink } from './sink.ts';

const FAULTS = ['kill', 'unplug'] as const;
/** `heard`: acknowledges before it stores, and must lose frames. `forgetful`: knows no frame again, and must store some twice. */
type Control = 'none' | 'heard' | 'forgetful';

interface SerialRun extends Run {
  readonly cycles: number;
  readonly fault: (typeof FAULTS)[number];
  readonly control: Control;
}

interface SerialResult {
  readonly verdict: Verdict;
  readonly repeatedFrames: number;
  readonly storedTwice: number;
  /** From when a port was plugged in again until its device had an acknowledgement; null when none was. */
  readonly slowestBackMs: number | null;
  /** Descriptors of the gateway more than before, when all ports are open again. */
  readonly leakedDescriptors: number;
  readonly problems: readonly string[];
}

const DEVICES = 4;
const FINISH_MS = 60_000;
const OPEN_MS = 20_000;
const BREAKERS: Readonly<Record<Control, readonly string[]>> = {
  none: [],
  heard: ['--import', new URL('./serial/acknowledge-what-is-heard.ts', import.meta.url).href],
  forgetful: ['--import', new URL('./serial/forget-frames.ts', import.meta.url).href],
};
const CHECK = { type: 'crc16-ccitt', place: 'end', order: 'big', form: 'binary' } as const;
const LINES = createFraming({ kind: 'lines', ending: 'lf', maxFrameBytes: 1024 });
const COBS = createFraming({ kind: 'cobs', maxFrameBytes: 1024, check: CHECK });

async function runSerial({ cycles, fault, control, seed }: SerialRun): Promise<SerialResult> {
  const sink = await openSink('file', 'kafkajs');
  const senders = Array.from({ length: DEVICES }, (_, index) => {
    return new SerialSender(`s${index}`, index % 2 === 0 ? LINES : COBS);
  });
  const serial = senders.map(({ ledger, pair }, index) => ({
    name: ledger.device,
    path: pair.path,
    framing: index % 2 === 0 ? 'lines' : { type: 'cobs', check: 'crc16-ccitt' },
    ack: 'OK {frame}\n',
    dedupe: { field: 'n', window: 2 * IN_FLIGHT },
  }));
  const gateway = await GatewayProcess.create({
    // What is heard waits a little for the disk, so that there is something to lose.
    config: { serial, uplinks: sink.uplinks, buffer: { keepFree: '16MiB', commitInterval: '20ms' } },
    nodeOptions: BREAKERS[control],
  });
  try {
    await Promise.all(senders.map((sender) => sender.plug()));
    await gateway.start();
    await serialPortsOpen(gateway, OPEN_MS);
    const before = gateway.descriptorCount;
    for (const sender of senders) sender.start();
    const backMs = fault === 'kill' ? [] : await replugAll(senders, cycles, seed);
    if (fault === 'kill') await killAgainAndAgain(gateway, cycles, new SeededRandom(seed));
    await serialPortsOpen(gateway, OPEN_MS);
    const leakedDescriptors = fault === 'kill' ? 0 : await leaked(gateway, before);
    await finish(senders);
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const judge = new Judge(senders.map(({ ledger }) => ledger));
    await judge.readAll(sink.arrivals(gateway));
    return concluded({
      verdict: judge.verdict(),
      senders,
      backMs,
      leakedDescriptors,
      store: countStore(gateway.dataDir),
    });
  } catch (cause) {
    throw new Error(`the run broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    await Promise.all(senders.map((sender) => sender.close()));
    await gateway.dispose();
    await sink.close();
  }
}

async function killAgainAndAgain(gateway: GatewayProcess, cycles: number, random: SeededRandom): Promise<void> {
  for (let cycle = 1; cycle <= cycles; cycle += 1) {
    await delay(random.between(10, 600));
    await gateway.stop('SIGKILL');
    await gateway.start();
    await serialPortsOpen(gateway, OPEN_MS);
  }
}

async function replugAll(senders: readonly SerialSender[], cycles: number, seed: number): Promise<number[]> {
  const each = senders.map((sender, index) => replug(sender, cycles, new SeededRandom(seed * 31 + index)));
  return (await Promise.all(each)).flat();
}

/** Its share of the cycles; sometimes before the gateway has noticed. With how long the device then waited for an acknowledgement. */
async function replug(sender: SerialSender, cycles: number, random: SeededRandom): Promise<number[]> {
  const backMs: number[] = [];
  for (let cycle = 0; cycle < Math.ceil(cycles / DEVICES); cycle += 1) {
    const acked = sender.ledger.ackedCount;
    const startedAt = performance.now();
    await waitFor(() => sender.ledger.ackedCount > acked, { what: 'an acknowledgement', timeoutMs: OPEN_MS });
    if (cycle > 0) backMs.push(Math.round(performance.now() - startedAt));
    await delay(random.between(0, 100));
    await sender.unplug();
    await delay(random.between(0, 300));
    await sender.plug();
  }
  return backMs;
}

/** Connections of the API come and go; what never comes down is a leak. */
async function leaked(gateway: GatewayProcess, before: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  const isDown = (): boolean => {
    least = Math.min(least, gateway.descriptorCount);
    return least <= before;
  };
  await waitFor(isDown, { what: 'descriptors to come down', timeoutMs: OPEN_MS }).catch(() => undefined);
  return Math.max(0, least - before);
}

async function finish(senders: readonly SerialSender[]): Promise<void> {
  for (const sender of senders) sender.stopProducing();
  const unfinished = (): number => senders.reduce((sum, sender) => sum + sender.unfinishedCount, 0);
  await waitFor(() => unfinished() === 0, {
    what: () => `${unfinished()} frames to be acknowledged`,
    timeoutMs: FINISH_MS,
  });
}

function concluded(run: {
  verdict: Verdict;
  senders: readonly SerialSender[];
  backMs: readonly number[];
  leakedDescriptors: number;
  store: ReturnType<typeof countStore>;
}): SerialResult {
  const { verdict, senders, backMs, leakedDescriptors, store } = run;
  const storedTwice = Object.values(verdict.storedTwiceCount).reduce((sum, count) => sum + count, 0);
  const repeatedFrames = senders.reduce((sum, sender) => sum + sender.repeatedCount, 0);
  const problems = [...store.problems];
  if (verdict.ackedCount === 0) problems.push('nothing was acknowledged: the run says nothing');
  if (repeatedFrames === 0) problems.push('no frame was sent again: repeated ones were not tried');
  if (verdict.lostCount > 0) problems.push(`${verdict.lostCount} lost: ${verdict.lostExamples.join(' ')}`);
  if (storedTwice > 0) problems.push(`${storedTwice} frames stored twice`);
  if (verdict.strangeCount > 0) problems.push(`${verdict.strangeCount} records that nobody sent`);
  if (leakedDescriptors > 0) problems.push(`${leakedDescriptors} descriptors leaked`);
  const slowestBackMs = backMs.length === 0 ? null : Math.max(...backMs);
  return { verdict, repeatedFrames, storedTwice, slowestBackMs, leakedDescriptors, problems };
}

export const scenario = defineScenario({
  about:
    'SIGKILL under serial load, or ports unplugged: nothing acknowledged on the wire is lost, nothing stored twice',
  usage: '[--cycles N] [--fault kill|unplug] [--seed S] [--control | --control-dedupe]',
  options: {
    cycles: wholeNumber(20, 'kills, or times that a port is unplugged', 1),
    fault: choice(FAULTS, 'kill', 'what happens'),
    control: flag('acknowledge what is heard: frames must be lost'),
    'control-dedupe': flag('forget the numbers of frames: some must be stored twice'),
  },
  run: async ({ cycles, fault, seed, say, control: isHeard, 'control-dedupe': isForgetful }) => {
    const control = isHeard ? 'heard' : isForgetful ? 'forgetful' : 'none';
    const result = await runSerial({ cycles, fault, control, seed, say });
    const { lostExamples: _, lostByDevice: __, storedTwiceCount: ___, ...verdict } = result.verdict;
    const json = { cycles, fault, control, ...result, verdict };
    if (control === 'none') {
      const { problems } = result;
      return { passed: problems.length === 0, lines: problems.map((problem) => `PROBLEM ${problem}`), json };
    }
    const broken = control === 'heard' ? result.verdict.lostCount : result.storedTwice;
    const what = control === 'heard' ? 'acknowledged frames lost' : 'frames stored twice';
    const line = `${broken > 0 ? `as it must, the control has ${broken}` : 'FAIL: this run could not have noticed any'} ${what}`;
    return { passed: broken > 0, lines: [line], json };
  },
});
