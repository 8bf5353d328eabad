import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BROKEN_ANSWERS, expectEachOnce, refusing } from '../support/fake-kafka/arrivals.ts';
import { type Answer, FakeKafka } from '../support/fake-kafka/fake-kafka.ts';
import { BLOCKING_A_TRANSACTION, OF_A_RECORD, PASSING } from '../support/fake-kafka/produce-codes.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, topicsUnder } from '../support/uplink-options.ts';

describe.each(KAFKA_CLIENTS)('exactly once over %s, whatever Produce is answered in a transaction', (client) => {
  let kafka: FakeKafka;
  let uplink: RunningUplink;

  beforeEach(async () => {
    kafka = await FakeKafka.start();
    uplink = await runUplink(
      kafkaOptions({
        client,
        delivery: 'exactly_once',
        brokers: [kafka.broker],
        topics: topicsUnder('answers'),
        streams: ['telemetry'],
        batch: { maxRecords: 20, maxBytes: 1 << 20, maxWait: 0 },
        connectionTimeout: 1_000,
        requestTimeout: 500,
        backoff: { initial: 20, max: 100 },
      }),
    );
  });
  afterEach(async () => {
    await uplink.stop();
    await kafka.stop();
  });

  /** Each is there once, and for each key in order; the position is behind the last that is settled. */
  function expectOnce(seqs: readonly number[]): void {
    expectEachOnce(kafka.records, seqs);
    expect(uplink.counts()).toMatchObject({ deliveredCount: seqs.length, pendingCount: 0 });
  }

  it.each(Object.entries(PASSING))('goes on by itself after %s', async (_, code) => {
    kafka.script.push(
      { kind: 'refuse', code },
      { kind: 'take' },
      { kind: 'refuse', code, when: ({ partition }) => partition === 1 },
    );
    const seqs = uplink.append(60);
    await uplink.drained();
    expectOnce(seqs);
    expect(kafka.coordinator.positions()).toEqual([seqs.at(-1)]);
  });

  it.each(Object.entries(BLOCKING_A_TRANSACTION))(
    'is blocked by %s, says what to do, and goes on when that is done',
    async (_, [code, hint]) => {
      kafka.always = { kind: 'refuse', code };
      const seqs = uplink.append(40);
      await uplink.reaches('blocked');
      expect(uplink.status()?.reason).toMatch(hint);
      expect(uplink.counts()).toMatchObject({ deliveredCount: 0, rejectedCount: 0, pendingCount: 40 });
      kafka.always = undefined;
      await uplink.drained();
      expectOnce(seqs);
    },
  );

  it.each(Object.entries(OF_A_RECORD))('sets aside the one record that is the cause of %s', async (_, code) => {
    const seqs = uplink.append(40);
    const bad = seqs[25] ?? 0;
    kafka.always = refusing(bad, code);
    await uplink.drained();
    expectOnce(seqs.filter((seq) => seq !== bad));
    expect(uplink.counts()).toMatchObject({ rejectedCount: 1 });
  });

  it.each(BROKEN_ANSWERS)(
    'sends each record once when an answer is broken: %s (the records were taken: %s)',
    async (kind, taken) => {
      kafka.script.push({ kind: 'take' }, { kind, taken } as Answer);
      const seqs = uplink.append(60);
      await uplink.drained();
      expectOnce(seqs);
    },
  );
});
