import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectEachOnce } from '../support/fake-kafka/arrivals.ts';
import type { CoordinatorApi } from '../support/fake-kafka/coordinator.ts';
import { FakeKafka } from '../support/fake-kafka/fake-kafka.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, topicsUnder } from '../support/uplink-options.ts';

/** Kafka protocol, "Error Codes": what a coordinator says that loads, moves, or has not ended the last transaction. */
const BUSY = {
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  CONCURRENT_TRANSACTIONS: 51,
} as const;
/** What a producer that was shut out, or whose id is not known any more, is told. */
const SHUT_OUT = { INVALID_PRODUCER_EPOCH: 47, INVALID_PRODUCER_ID_MAPPING: 49, PRODUCER_FENCED: 90 } as const;
const STEPS: readonly CoordinatorApi[] = ['AddPartitionsToTxn', 'AddOffsetsToTxn', 'TxnOffsetCommit', 'EndTxn'];
const OPENING: readonly CoordinatorApi[] = ['FindCoordinator', 'InitProducerId', 'OffsetFetch'];

describe.each(KAFKA_CLIENTS)('exactly once over %s, whatever a coordinator answers', (client) => {
  let kafka: FakeKafka;
  let uplink: RunningUplink;

  beforeEach(async () => {
    kafka = await FakeKafka.start({ nodes: 2 });
  });
  afterEach(async () => {
    await uplink.stop();
    await kafka.stop();
  });

  async function run(): Promise<void> {
    uplink = await runUplink(
      kafkaOptions({
        client,
        delivery: 'exactly_once',
        brokers: [kafka.broker],
        topics: topicsUnder('coordinated'),
        streams: ['telemetry'],
        batch: { maxRecords: 20, maxBytes: 1 << 20, maxWait: 0 },
        connectionTimeout: 1_000,
        requestTimeout: 1_000,
        backoff: { initial: 20, max: 100 },
      }),
    );
  }

  /** Each is there once, and for each key in order. */
  function expectOnce(seqs: readonly number[]): void {
    expectEachOnce(kafka.records, seqs);
    expect(uplink.counts()).toMatchObject({ deliveredCount: seqs.length, rejectedCount: 0, pendingCount: 0 });
  }

  it('delivers what is simply taken', async () => {
    await run();
    const seqs = uplink.append(200);
    await uplink.drained();
    expectOnce(seqs);
  });

  it.each(
    STEPS.flatMap((step) =>
      Object.entries({ ...BUSY, ...SHUT_OUT }).map(([name, code]) => [step, name, code] as const),
    ),
  )('goes on by itself when %s is answered %s', async (step, _, code) => {
    await run();
    const seqs = uplink.append(100);
    await uplink.drained();
    kafka.coordinator.refusals.set(step, [code, code]);
    seqs.push(...uplink.append(100));
    await uplink.drained();
    expect(kafka.coordinator.refusals.get(step)).toEqual([]);
    expectOnce(seqs);
  });

  it.each(OPENING.flatMap((step) => Object.entries(BUSY).map(([name, code]) => [step, name, code] as const)))(
    'begins by itself when %s is answered %s',
    async (step, _, code) => {
      kafka.coordinator.refusals.set(step, [code, code, code]);
      await run();
      const seqs = uplink.append(100);
      await uplink.drained();
      expectOnce(seqs);
    },
  );

  it('keeps the position when an answer to TxnOffsetCommit says nothing of it', async () => {
    await run();
    const seqs = uplink.append(100);
    await uplink.drained();
    kafka.coordinator.silentCommits = 1;
    seqs.push(...uplink.append(20));
    await uplink.drained();
    expect(kafka.coordinator.silentCommits).toBe(0);
    expect(kafka.coordinator.positions()).toEqual([seqs.at(-1)]);
    expectOnce(seqs);
  });

  it('follows a coordinator that moves', async () => {
    await run();
    const seqs = uplink.append(100);
    await uplink.drained();
    kafka.coordinatorNode = 2;
    seqs.push(...uplink.append(100));
    await uplink.drained();
    kafka.coordinatorNode = 1;
    seqs.push(...uplink.append(100));
    await uplink.drained();
    expectOnce(seqs);
  });

  it('sends once what a partition was sent whose leader moved to a broker that has answered already', async () => {
    kafka.leaders.splice(0, 3, 1, 2, 2);
    await run();
    const seqs = uplink.append(100);
    await uplink.drained();
    let moves = 0;
    kafka.onProduce = (node) => {
      if (node !== 1 || moves > 0) return;
      moves += 1;
      kafka.leaders[0] = 2;
    };
    seqs.push(...uplink.append(100));
    await uplink.drained();
    expect(moves).toBe(1);
    expectOnce(seqs);
  });
});
