/**
 * What the store writes for a record, and how often it waits for the disk, at the rates of small installations: with
 * every commit at once, and with `commitInterval`. The gateways of one interval run side by side, each with its own store.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { runLoad } from '../support/mqtt-load.ts';
import { measured, say, table, thousands, verdict } from './report.ts';

export interface WearOptions {
  readonly seconds: number;
}

interface Wear {
  readonly commitInterval: string;
  readonly ratePerS: number;
  readonly bytesPerRecord: number;
  readonly fsyncsPerS: number;
  readonly ackP50Ms: number;
  readonly ackP99Ms: number;
}

const RATES = [10, 100, 1_000];
const INTERVALS = ['0ms', '1s'];
/** With head, device and channel the record has 180 bytes. */
const PAYLOAD_BYTES = 141;
const AIM = { commitInterval: '1s', ratePerS: 100, bytesPerRecord: 1_000, fsyncsPerS: 4 };
/** A small card: 32 GB, of which every cell may be written 1,000 times. */
const CARD_BYTES = 32e12;
const SECONDS_PER_DAY = 86_400;
const SETTLE_MS = 5_000;

export async function benchWear({ seconds }: WearOptions): Promise<boolean> {
  const kafka = await startKafka({ isLasting: true });
  try {
    const results: Wear[] = [];
    for (const commitInterval of INTERVALS) {
      results.push(...(await Promise.all(RATES.map((ratePerS) => wear(kafka, commitInterval, ratePerS, seconds)))));
    }
    for (const result of results) measured('wear', { ...result });
    return report(results);
  } finally {
    await kafka.stop();
  }
}

async function wear(kafka: Kafka, commitInterval: string, ratePerS: number, seconds: number): Promise<Wear> {
  const id = `wear-${commitInterval}-${ratePerS}`;
  const gateway = await GatewayProcess.create({ build: 'launcher' });
  gateway.configure({
    gateway: { id, dataDir: gateway.dataDir },
    buffer: { keepFree: '16MiB', commitInterval },
    uplinks: [{ name: 'bench', type: 'kafka', brokers: [kafka.bootstrap], createTopics: true }],
  });
  try {
    await gateway.start();
    await delay(SETTLE_MS);
    const pid = gateway.pid ?? 0;
    const before = writtenBytes(pid);
    const [load, fsyncs] = await Promise.all([
      runLoad({
        port: gateway.mqttPort,
        clientCount: 10,
        inFlight: 1_000,
        payloadBytes: PAYLOAD_BYTES,
        ratePerS,
        signal: AbortSignal.timeout(seconds * 1000),
      }),
      fsyncCount(pid, seconds),
    ]);
    return {
      commitInterval,
      ratePerS,
      bytesPerRecord: Math.round((writtenBytes(pid) - before) / load.ackedCount),
      fsyncsPerS: Math.round((fsyncs / seconds) * 10) / 10,
      ackP50Ms: load.p50Ms,
      ackP99Ms: load.p99Ms,
    };
  } finally {
    await gateway.dispose();
  }
}

/** What the process caused to be written, proc_pid_io(5). */
function writtenBytes(pid: number): number {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, 'utf8'))?.[1] ?? Number.NaN);
}

/** Waits for the disk, counted by the kernel. @throws Error when `perf` is not there or may not count */
async function fsyncCount(pid: number, seconds: number): Promise<number> {
  const calls = ['fsync', 'fdatasync'].map((call) => `syscalls:sys_enter_${call}`);
  const args = ['stat', '-x', ',', '-e', calls.join(','), '-p', String(pid), '--', 'sleep', String(seconds)];
  const child = spawn('perf', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  const [output, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
  const counts = output
    .split('\n')
    .filter((line) => line.includes('sys_enter'))
    .map((line) => Number(line.split(',')[0]));
  if (code !== 0 || counts.length !== calls.length || counts.some(Number.isNaN)) {
    throw new Error(`perf (package linux-perf, as root) cannot count fsyncs: ${output}`);
  }
  return counts.reduce((sum, count) => sum + count, 0);
}

function report(results: readonly Wear[]): boolean {
  const rows = results.map(({ commitInterval, ratePerS, bytesPerRecord, fsyncsPerS, ackP50Ms, ackP99Ms }) => {
    const bytesPerDay = bytesPerRecord * ratePerS * SECONDS_PER_DAY;
    return [
      commitInterval,
      thousands(ratePerS),
      thousands(bytesPerRecord),
      String(fsyncsPerS),
      `${(bytesPerDay / 1e9).toFixed(1)} GB`,
      thousands(Math.round(CARD_BYTES / bytesPerDay)),
      `${ackP50Ms} ms`,
      `${ackP99Ms} ms`,
    ];
  });
  const head = [
    'commitInterval',
    'messages/s',
    'B a record',
    'fsyncs/s',
    'a day',
    'days of 32 TB',
    'ack p50',
    'ack p99',
  ];
  say(table(head, rows));
  const judged = results.find(
    ({ commitInterval, ratePerS }) => commitInterval === AIM.commitInterval && ratePerS === AIM.ratePerS,
  );
  const verdicts = [
    verdict(judged?.bytesPerRecord ?? Number.NaN, AIM.bytesPerRecord, 'lower'),
    verdict(judged?.fsyncsPerS ?? Number.NaN, AIM.fsyncsPerS, 'lower'),
  ];
  say(
    `${AIM.ratePerS}/s with ${AIM.commitInterval}: ≤ ${thousands(AIM.bytesPerRecord)} B a record ${verdicts[0]}, ≤ ${AIM.fsyncsPerS} fsyncs/s ${verdicts[1]}`,
  );
  return verdicts.every((each) => each === 'met');
}
