/**
 * Hours of ordinary life: a steady load, clients that come and go, Kafka restarted every few minutes. Nothing may be
 * lost, and neither memory nor descriptors may grow.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { connectPacket, subscribePacket } from '../support/mqtt-packets.ts';
import { progress } from '../support/verify.ts';
import { drained } from './drained.ts';
import { Fleet } from './fleet.ts';
import { judgeRun } from './promises.ts';
import { defineScenario, positiveNumber } from './scenario.ts';
import { kafkaUplink, readTopics } from './sink.ts';

interface SoakOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly say: (line: string) => void;
}

interface SoakResult {
  readonly ackedCount: number;
  readonly lostCount: number;
  readonly repeatedCount: number;
  readonly kafkaRestarts: number;
  readonly visitors: number;
  /** After the first sixth of the run, by least squares: of the peaks of each third, which is what is judged. */
  readonly rssSlopeMbPerHour: number;
  /** And of all samples. V8 gives memory back in large steps, so this tells more of the hour of the last one. */
  readonly rssSlopeOfAllMbPerHour: number;
  readonly rssMb: Range;
  readonly descriptors: Range;
  readonly problems: readonly string[];
}

/** Medians of the first and of the last fifth of what is judged. */
interface Range {
  readonly first: number;
  readonly last: number;
}

interface Sample {
  readonly atHours: number;
  readonly rssMb: number;
  readonly descriptors: number;
}

const MESSAGES_PER_S = 500;
const SENDERS = 8;
const MINUTE_MS = 60_000;
const SAMPLE_MS = 5_000;
const VISIT_MS = 1_000;
const REGULARS = 100;
const KAFKA_EVERY_MS = 5 * MINUTE_MS;
const KAFKA_AWAY_MS = 15_000;
/** So that each part of an hour is longer than V8 takes to fill again what it gave back. */
const PEAKS = 3;
const MAX_SLOPE_MB_PER_HOUR = 4;
const MAX_MORE_DESCRIPTORS = 4;

async function runSoak({ minutes, seed, say }: SoakOptions): Promise<SoakResult> {
  const kafka = await startKafka({ isLasting: true });
  const gateway = await GatewayProcess.create({
    build: 'launcher',
    config: { uplinks: [kafkaUplink(kafka.bootstrap)] },
  });
  const fleet = new Fleet({ port: gateway.mqttPort, seed, messagesPerS: MESSAGES_PER_S / SENDERS });
  const ending = new AbortController();
  try {
    await gateway.start();
    fleet.start();
    const samples: Sample[] = [];
    const lives = [
      sampling(gateway, samples, ending.signal, say),
      visiting(gateway.mqttPort, fleet, ending.signal),
      restarting(kafka, ending.signal, say),
    ] as const;
    await Promise.race([delay(minutes * MINUTE_MS), ...lives]);
    ending.abort();
    const [, visitors, kafkaRestarts] = await Promise.all(lives);
    await fleet.finish();
    await drained(gateway);
    await gateway.stop('SIGTERM');
    const { verdict, problems } = await judgeRun(gateway, fleet, readTopics(kafka.bootstrap));
    const { ackedCount, lostCount, repeatedCount } = verdict;
    const growth = judgeGrowth(samples);
    const all = [...problems, ...growth.problems];
    return { ackedCount, lostCount, repeatedCount, kafkaRestarts, visitors, ...growth, problems: all };
  } catch (cause) {
    throw new Error(`the soak broke off; the gateway's last lines:\n${gateway.logTail()}`, { cause });
  } finally {
    ending.abort();
    fleet.close();
    await gateway.dispose();
    await kafka.stop();
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch(() => undefined);
}

async function sampling(
  gateway: GatewayProcess,
  samples: Sample[],
  signal: AbortSignal,
  say: SoakOptions['say'],
): Promise<void> {
  const startedAt = performance.now();
  while (!signal.aborted) {
    const sample = sampleOf(gateway.pid ?? 0, (performance.now() - startedAt) / (60 * MINUTE_MS));
    samples.push(sample);
    if (samples.length % 12 === 1) {
      say(
        `${(sample.atHours * 60).toFixed(0)} min: ${sample.rssMb.toFixed(1)} MB, ${sample.descriptors} descriptors, ` +
          `${progress(gateway.dataDir).pending} pending`,
      );
    }
    await pause(SAMPLE_MS, signal);
  }
}

function sampleOf(pid: number, atHours: number): Sample {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0';
  return { atHours, rssMb: (Number(kilobytes) * 1024) / 1e6, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}

/**
 * Every second one device loses its connection, and somebody looks in without a word of farewell: a stranger with a
 * name of its own, or one of those who come again to a session that was kept for them.
 */
async function visiting(port: number, { senders }: Fleet, signal: AbortSignal): Promise<number> {
  let count = 0;
  while (!signal.aborted) {
    senders[count % senders.length]?.interrupt();
    const visitor = connect({ port, host: '127.0.0.1' });
    visitor.on('error', () => undefined);
    visitor.resume();
    const isStranger = count % 2 === 0;
    const clientId = isStranger ? `stranger-${count}` : `regular-${count % REGULARS}`;
    visitor.write(connectPacket({ clientId, clean: isStranger, keepAliveS: 10 }));
    visitor.write(subscribePacket('devices/#'));
    await pause(VISIT_MS, signal);
    visitor.destroy();
    count += 1;
  }
  return count;
}

/** Killed and stopped in order, in turn. */
async function restarting(kafka: Kafka, signal: AbortSignal, say: SoakOptions['say']): Promise<number> {
  let count = 0;
  await pause(KAFKA_EVERY_MS, signal);
  while (!signal.aborted) {
    if (count % 2 === 0) await kafka.kill();
    else await kafka.shutDown();
    await pause(KAFKA_AWAY_MS, signal);
    await kafka.start();
    count += 1;
    say(`Kafka restarted, ${count}`);
    await pause(KAFKA_EVERY_MS - KAFKA_AWAY_MS, signal);
  }
  return count;
}

type Growth = Pick<SoakResult, 'rssSlopeMbPerHour' | 'rssSlopeOfAllMbPerHour' | 'rssMb' | 'descriptors' | 'problems'>;

function judgeGrowth(samples: readonly Sample[]): Growth {
  const judged = samples.slice(Math.floor(samples.length / 6));
  const rssSlopeMbPerHour = Math.round(slope(peaksOf(judged)) * 10) / 10;
  const rssSlopeOfAllMbPerHour = Math.round(slope(judged) * 10) / 10;
  const descriptors = rangeOf(judged.map((sample) => sample.descriptors));
  const problems: string[] = [];
  if (rssSlopeMbPerHour >= MAX_SLOPE_MB_PER_HOUR) problems.push(`memory grows by ${rssSlopeMbPerHour} MB an hour`);
  if (descriptors.last > descriptors.first + MAX_MORE_DESCRIPTORS) {
    problems.push(`descriptors grow from ${descriptors.first} to ${descriptors.last}`);
  }
  return {
    rssSlopeMbPerHour,
    rssSlopeOfAllMbPerHour,
    rssMb: rangeOf(judged.map(({ rssMb }) => Math.round(rssMb))),
    descriptors,
    problems,
  };
}

/** What leaks is never given back: it lifts the peaks, and no step down hides it. */
function peaksOf(samples: readonly Sample[]): readonly Sample[] {
  const length = Math.ceil(samples.length / PEAKS);
  const parts = Array.from({ length: PEAKS }, (_, index) => samples.slice(index * length, (index + 1) * length));
  return parts.flatMap((part) => part.toSorted((a, b) => b.rssMb - a.rssMb).slice(0, 1));
}

function rangeOf(values: readonly number[]): Range {
  const fifth = Math.max(1, Math.floor(values.length / 5));
  const median = (part: readonly number[]): number => part.toSorted((a, b) => a - b)[part.length >> 1] ?? 0;
  return { first: median(values.slice(0, fifth)), last: median(values.slice(-fifth)) };
}

/** Of the regression line, in MB per hour. */
function slope(samples: readonly Sample[]): number {
  const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanAt = mean(samples.map(({ atHours }) => atHours));
  const meanMb = mean(samples.map(({ rssMb }) => rssMb));
  let covariance = 0;
  let variance = 0;
  for (const { atHours, rssMb } of samples) {
    covariance += (atHours - meanAt) * (rssMb - meanMb);
    variance += (atHours - meanAt) ** 2;
  }
  return variance === 0 ? 0 : covariance / variance;
}

export const scenario = defineScenario({
  about: 'hours of ordinary life with Kafka restarted: nothing is lost, neither memory nor descriptors grow',
  usage: '--minutes N [--seed S]',
  options: { minutes: positiveNumber(60, 'how long it lasts') },
  run: async ({ minutes, seed, say }) => {
    const result = await runSoak({ minutes, seed, say });
    const { problems } = result;
    const lines = problems.map((problem) => `PROBLEM ${problem}`);
    return { passed: problems.length === 0, lines, json: { minutes, ...result } };
  },
});
