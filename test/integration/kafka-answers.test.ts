import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { BROKEN_ANSWERS, refusing, seqOf } from '../support/fake-kafka/arrivals.ts';
import { type Answer, FakeKafka } from '../support/fake-kafka/fake-kafka.ts';
import { BLOCKING, OF_A_RECORD, PASSING } from '../support/fake-kafka/produce-codes.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, topicsUnder } from '../support/uplink-options.ts';

const INVALID_TIMESTAMP = 32;

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

  const arrived = (): number[] => kafka.records.map(seqOf);

  /** Each is there, and for each key in order of first arrival. */
  function expectAll(seqs: readonly number[]): void {
    expect([...new Set(arrived())].sort((a, b) => a - b)).toEqual(seqs);
    for (const list of Map.groupBy(kafka.records, ({ key }) => key).values()) {
      const first = [...new Set(list.map(seqOf))];
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
    async (_, [code, hint]) => {
      kafka.always = { kind: 'refuse', code };
      const seqs = uplink.append(50);
      await uplink.reaches('blocked');
      expect(uplink.status()?.reason).toMatch(hint);
      expect(uplink.counts()).toMatchObject({ deliveredCount: 0, rejectedCount: 0, pendingCount: 50 });
      kafka.always = undefined;
      await uplink.drained();
      expectAll(seqs);
    },
  );

  it.each(Object.entries(OF_A_RECORD))('sets aside the one record that is the cause of %s', async (_, code) => {
    const seqs = uplink.append(50);
    const bad = seqs[25] ?? 0;
    kafka.always = refusing(bad, code);
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

  it.each(BROKEN_ANSWERS)(
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
