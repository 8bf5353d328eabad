import { Kafka as KafkaJs, logLevel } from 'kafkajs';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const YEAR_MS = 365.25 * 86_400_000;
const COUNT = 20;
const CLOCKS = [
  ['at 1970', -Date.now()],
  ['at +10 years', 10 * YEAR_MS],
  ['at +56 years', 56 * YEAR_MS],
] as const;

/** Topics with Kafka's own settings: a retention of seven days, and no time that is more than an hour ahead. */
describe('what a gateway with a wrong clock sends to Kafka', () => {
  let kafka: Kafka;
  let uplink: RunningUplink | undefined;
  let topicCount = 0;

  beforeAll(async () => {
    // Retention is looked at every five minutes otherwise.
    const extraProperties = { 'log.retention.check.interval.ms': 200, 'log.initial.task.delay.ms': 0 };
    kafka = await startKafka({ extraProperties });
  });
  afterAll(() => kafka.stop());
  afterEach(async () => {
    await uplink?.stop();
    vi.restoreAllMocks();
  });

  /** Delivers records by a clock that is off; returns their topic, and what the clock said. */
  async function deliver(offsetMs: number, options: Partial<KafkaUplinkOptions>) {
    topicCount += 1;
    const topics = topicsUnder(`wrong-clock-${topicCount}`);
    const rightNow = Date.now;
    vi.spyOn(Date, 'now').mockImplementation(() => rightNow() + offsetMs);
    const running = await runUplink(
      kafkaOptions({ brokers: [kafka.bootstrap], topics, createTopics: true, streams: ['telemetry'], ...options }),
    );
    uplink = running;
    const receivedAt = Date.now();
    running.append(COUNT, { receivedAt, timeQuality: 'unsynced' });
    await running.drained();
    expect(running.counts()).toMatchObject({ deliveredCount: COUNT, rejectedCount: 0 });
    expect(running.status()?.state).toBe('up');
    await running.stop();
    vi.restoreAllMocks();
    return { topic: topics.telemetry, receivedAt };
  }

  /** Sends a record with a time of 1970, as others might; resolves when Kafka has deleted it. */
  async function seeDeleted(topic: string): Promise<void> {
    const producer = new KafkaJs({ brokers: [kafka.bootstrap], logLevel: logLevel.NOTHING }).producer();
    await producer.connect();
    await producer.send({ topic, messages: [{ value: 'old', timestamp: '1000' }] });
    await producer.disconnect();
    const isDeleted = async (): Promise<boolean> => (await kafka.countRecords(topic)) === 0;
    await waitFor(isDeleted, { what: 'Kafka to delete what is of 1970', timeoutMs: 20_000 });
  }

  describe.each(KAFKA_CLIENTS)('through %s', (client) => {
    it.each(CLOCKS)('arrives without a time when it is %s, and says what the clock said', async (_, offsetMs) => {
      const { topic, receivedAt } = await deliver(offsetMs, { client });
      const records = await kafka.topicRecords(topic);
      expect(records.map(({ timestamp }) => timestamp)).toEqual(Array(COUNT).fill(-1));
      expect(records[0]?.headers).toMatchObject({
        ce_time: new Date(receivedAt).toISOString(),
        ce_timequality: 'unsynced',
      });
    });

    it.each(CLOCKS)('arrives without a time in a transaction when it is %s', async (_, offsetMs) => {
      const { topic } = await deliver(offsetMs, { client, delivery: 'exactly_once', compression: 'gzip' });
      const records = await kafka.topicRecords(topic);
      expect(records.map(({ timestamp }) => timestamp)).toEqual(Array(COUNT).fill(-1));
    });

    it('is not deleted before its time', async () => {
      const { topic } = await deliver(-Date.now(), { client });
      const other = `control-${client}`;
      await kafka.createTopic(other);
      // When the second one is gone, the round that took the first one has been to all topics.
      await seeDeleted(other);
      await seeDeleted(other);
      expect(await kafka.countRecords(topic)).toBe(COUNT);
    });
  });
});
