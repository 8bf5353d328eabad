import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { type Answer, FakeKafka } from '../support/fake-kafka/fake-kafka.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';

/** Kafka protocol, "Error Codes": those that a broker may answer to Produce, by what people must do about them. */
const PASSING = {
  UNKNOWN_SERVER_ERROR: -1,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REQUEST_TIMED_OUT: 7,
  BROKER_NOT_AVAILABLE: 8,
  REPLICA_NOT_AVAILABLE: 9,
  NETWORK_EXCEPTION: 13,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  INVALID_REQUIRED_ACKS: 21,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  KAFKA_STORAGE_ERROR: 56,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  THROTTLING_QUOTA_EXCEEDED: 89,
  'a code that nobody knows': 9_999,
} as const;
const BLOCKING = {
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  INVALID_TOPIC_EXCEPTION: 17,
  TOPIC_AUTHORIZATION_FAILED: 29,
  CLUSTER_AUTHORIZATION_FAILED: 31,
  UNSUPPORTED_VERSION: 35,
  UNSUPPORTED_FOR_MESSAGE_FORMAT: 43,
  POLICY_VIOLATION: 44,
  UNSUPPORTED_COMPRESSION_TYPE: 76,
} as const;
const OF_A_RECORD = {
  CORRUPT_MESSAGE: 2,
  MESSAGE_TOO_LARGE: 10,
  RECORD_LIST_TOO_LARGE: 18,
  INVALID_RECORD: 87,
} as const;
const INVALID_TIMESTAMP = 32;

const BROKEN: readonly Answer['kind'][] = ['hang', 'half', 'garbage', 'silence', 'huge', 'cut'];

describe.each(KAFKA_CLIENTS)('%s, whatever a broker answers', (client) => {
  let kafka: FakeKafka;
  let uplink: RunningUplink;

  beforeEach(async () => {
    kafka = await FakeKafka.start();
    uplink = await runUplink(options());
  });
  afterEach(async () => {
    await uplink.stop();
    await kafka.stop();
  });

  function options(changes: Partial<KafkaUplinkOptions> = {}): KafkaUplinkOptions {
    return kafkaOptions({
      client,
      brokers: [kafka.broker],
      topics: topicsUnder('answers'),
      streams: ['telemetry'],
      compression: 'none',
      batch: { maxRecords: 20, maxBytes: 1 << 20, maxWait: 0 },
      connectionTimeout: 1_000,
      requestTimeout: 500,
      backoff: { initial: 20, max: 100 },
      ...changes,
    });
  }

  const arrived = (): number[] => kafka.records.map(({ headers }) => seqOfEventId(headers['ce_id']));

  /** Each is there, and for each key in order of first arrival. */
  function expectAll(seqs: readonly number[]): void {
    expect([...new Set(arrived())].sort((a, b) => a - b)).toEqual(seqs);
    for (const list of Map.groupBy(kafka.records, ({ key }) => key).values()) {
      const first = [...new Set(list.map(({ headers }) => seqOfEventId(headers['ce_id'])))];
      expect(first).toEqual(first.toSorted((a, b) => a - b));
    }
    expect(uplink.counts()).toMatchObject({ deliveredCount: seqs.length, rejectedCount: 0, pendingCount: 0 });
  }

  it('delivers what is simply taken', async () => {
    const seqs = uplink.append(200);
    await uplink.drained();
    expectAll(seqs);
    expect(arrived()).toHaveLength(200);
  });

  it.each(Object.entries(PASSING))('goes on by itself after %s', async (_, code) => {
    kafka.script.push(
      { kind: 'refuse', code },
      { kind: 'take' },
      { kind: 'refuse', code, when: ({ partition }) => partition === 1 },
    );
    const seqs = uplink.append(100);
    await uplink.drained();
    expectAll(seqs);
  });

  it.each(Object.entries(BLOCKING))(
    'is blocked by %s, says what to do, and goes on when that is done',
    async (_, code) => {
      kafka.always = { kind: 'refuse', code };
      const seqs = uplink.append(50);
      await uplink.reaches('blocked');
      expect(uplink.status()?.reason).toBeTruthy();
      expect(uplink.counts()).toMatchObject({ deliveredCount: 0, rejectedCount: 0, pendingCount: 50 });
      kafka.always = undefined;
      await uplink.drained();
      expectAll(seqs);
    },
  );

  it.each(Object.entries(OF_A_RECORD))('sets aside the one record that is the cause of %s', async (_, code) => {
    const seqs = uplink.append(50);
    const bad = seqs[25] ?? 0;
    kafka.always = {
      kind: 'refuse',
      code,
      when: ({ records }) => records.some(({ headers }) => seqOfEventId(headers['ce_id']) === bad),
    };
    await uplink.drained();
    expect([...new Set(arrived())].sort((a, b) => a - b)).toEqual(seqs.filter((seq) => seq !== bad));
    expect(uplink.counts()).toMatchObject({ deliveredCount: 49, rejectedCount: 1, pendingCount: 0 });
  });

  it('sends again with the time of sending what has a time that the topic does not take', async () => {
    kafka.script.push({ kind: 'refuse', code: INVALID_TIMESTAMP });
    const seqs = uplink.append(50);
    await uplink.drained();
    expectAll(seqs);
  });

  it.each(BROKEN.flatMap((kind) => [[kind, true] as const, [kind, false] as const]))(
    'loses nothing when an answer is broken: %s (the records were taken: %s)',
    async (kind, taken) => {
      kafka.script.push({ kind: 'take' }, { kind, taken } as Answer);
      const seqs = uplink.append(100);
      await uplink.drained();
      expectAll(seqs);
    },
  );

  it('goes on when it is throttled', async () => {
    for (let count = 0; count < 3; count += 1) kafka.script.push({ kind: 'take', throttleMs: 200 });
    const seqs = uplink.append(200);
    await uplink.drained();
    expectAll(seqs);
  });
});
