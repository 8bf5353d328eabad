import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MAX_ANSWER_BYTES } from '../../src/uplink/kafka/answer-limit.ts';
import type { Breakage } from '../support/fake-kafka/broken.ts';
import { type AskedApi, FakeKafka } from '../support/fake-kafka/fake-kafka.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';

const OPENING: readonly AskedApi[] = ['ApiVersions', 'Metadata', 'FindCoordinator', 'InitProducerId', 'OffsetFetch'];
const STEPS: readonly AskedApi[] = ['AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'];
const HOW: readonly Breakage[] = ['half', 'garbage', 'endless', 'cut'];
/** What the system keeps for a connection, on both sides, beside what was read. */
const SOCKET_BUFFERS_BYTES = 16 << 20;
const BOUND_BYTES = MAX_ANSWER_BYTES + SOCKET_BUFFERS_BYTES;

describe.each(KAFKA_CLIENTS)('%s, when answers that are not to Produce are broken', (client) => {
  let kafka: FakeKafka;
  let uplink: RunningUplink;
  let memory: MemoryPeak;

  beforeEach(async () => {
    kafka = await FakeKafka.start();
    memory = new MemoryPeak();
  });
  afterEach(async () => {
    memory.stop();
    await uplink.stop();
    await kafka.stop();
  });

  async function run(delivery: 'at_least_once' | 'exactly_once'): Promise<void> {
    uplink = await runUplink(
      kafkaOptions({
        client,
        delivery,
        brokers: [kafka.broker],
        topics: topicsUnder('broken'),
        streams: ['telemetry'],
        batch: { maxRecords: 20, maxBytes: 1 << 20, maxWait: 0 },
        connectionTimeout: 1_000,
        requestTimeout: 1_000,
        backoff: { initial: 20, max: 100 },
      }),
    );
  }

  function breakNext(api: AskedApi, taken: boolean): void {
    kafka.breakages.set(
      api,
      HOW.map((how) => ({ how, taken })),
    );
  }

  function expectOnce(seqs: readonly number[]): void {
    const arrived = kafka.records.map(({ headers }) => seqOfEventId(headers['ce_id']));
    expect(arrived.toSorted((a, b) => a - b)).toEqual(seqs);
    expect(uplink.counts()).toMatchObject({ deliveredCount: seqs.length, rejectedCount: 0, pendingCount: 0 });
  }

  function expectBounded(): void {
    expect(kafka.floodedBytes).toBeGreaterThan(0);
    expect(kafka.floodedBytes).toBeLessThan(BOUND_BYTES);
    expect(memory.growthBytes).toBeLessThan(2 * BOUND_BYTES);
  }

  it.each(OPENING)('begins by itself, in bounded memory, after broken answers to %s', async (api) => {
    breakNext(api, false);
    await run('exactly_once');
    const seqs = uplink.append(100);
    await uplink.drained();
    expect(kafka.breakages.get(api)).toEqual([]);
    expectOnce(seqs);
    expectBounded();
  });

  it.each(STEPS.flatMap((api) => [[api, true] as const, [api, false] as const]))(
    'sends each record once, in bounded memory, after broken answers to %s (it was done: %s)',
    async (api, taken) => {
      await run('exactly_once');
      const seqs = uplink.append(40);
      await uplink.drained();
      breakNext(api, taken);
      seqs.push(...uplink.append(100));
      await uplink.drained();
      expect(kafka.breakages.get(api)).toEqual([]);
      expectOnce(seqs);
      expectBounded();
    },
  );

  it.each(['ApiVersions', 'Metadata'] as const)(
    'says what is wrong with a peer that answers %s without an end, and takes a bounded part of it',
    async (api) => {
      kafka.breakages.set(
        api,
        Array.from({ length: 3 }, () => ({ how: 'endless', taken: true })),
      );
      await run('at_least_once');
      const seqs = uplink.append(40);
      await uplink.reaches('down');
      expect(JSON.stringify(uplink.logger.lines)).toMatch(/announces an answer of 2147483632 bytes/);
      await uplink.drained();
      expectOnce(seqs);
      expectBounded();
    },
  );
});

/** By how much the heap and what it refers to has grown at most. */
class MemoryPeak {
  readonly #before = usedBytes();
  #peak = 0;
  readonly #timer = setInterval(() => {
    this.#peak = Math.max(this.#peak, usedBytes());
  }, 5);

  get growthBytes(): number {
    return this.#peak - this.#before;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

function usedBytes(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
