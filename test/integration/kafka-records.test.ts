import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { NewRecord } from '../../src/core/record.ts';
import type { KafkaClientName, KafkaUplinkOptions, TopicRoute } from '../../src/uplink/options.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { readTopicWithJava } from '../support/kafka-java-reader.ts';
import { newRecord } from '../support/records.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { EPOCH, GATEWAY, KAFKA_CLIENTS, kafkaOptions, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';

const RECEIVED_AT = Date.UTC(2026, 10, 3, 12, 0, 0, 250);

/** What Kafka makes of an uplink's records, seen by clients that are not ours. */
describe('records in Kafka', () => {
  let kafka: Kafka;
  let uplink: RunningUplink;
  let client: KafkaClientName;
  let topicCount = 0;

  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka.stop());
  afterEach(() => uplink.stop());

  /** Runs an uplink until the records are delivered; returns the name of their topic. */
  async function deliver(records: readonly NewRecord[], options: Partial<KafkaUplinkOptions> = {}): Promise<string> {
    topicCount += 1;
    const prefix = `records-${topicCount}`;
    const how = { partitions: 7, replicationFactor: 1 };
    uplink = await runUplink(
      kafkaOptions({ client, brokers: [kafka.bootstrap], topics: topicsUnder(prefix), createTopics: how, ...options }),
    );
    uplink.log.append(records);
    const stream = records[0]?.stream ?? 'telemetry';
    await uplink.drained(stream);
    return `${prefix}.${stream}`;
  }

  describe.each(KAFKA_CLIENTS)('sent by %s', (name) => {
    beforeAll(() => {
      client = name;
    });

    it('are the same to kcat and to Java, in the partition that Java would have chosen', async () => {
      const records = Array.from({ length: 60 }, (_, index) =>
        newRecord({
          device: `sensor-${index % 23}`,
          receivedAt: RECEIVED_AT,
          observedAt: index % 2 === 0 ? RECEIVED_AT - 60_000 : null,
          timeQuality: index % 3 === 0 ? 'unsynced' : 'synced',
          contentType: 'application/octet-stream',
          channel: 'plant/line 1/Küche',
          value: Buffer.from([index, 0, 10, 13, 255]),
        }),
      );
      const topic = await deliver(records, { channelHeader: true });
      const byKcat = await kafka.topicRecords(topic);
      const byJava = readTopicWithJava(kafka, topic);
      expect(byJava.map(({ javaPartition: _, ...record }) => record)).toEqual(
        byKcat.map(({ timestamp: _, ...record }) => record),
      );
      expect(byJava.filter(({ partition, javaPartition }) => partition !== javaPartition)).toEqual([]);
      expect(new Set(byJava.map(({ partition }) => partition)).size).toBeGreaterThan(3);
      const bySeq = byKcat.toSorted((a, b) => seqOfEventId(a.headers['ce_id']) - seqOfEventId(b.headers['ce_id']));
      expect(bySeq.map(({ value }) => value)).toEqual(records.map(({ value }) => value));
      expect(bySeq[0]).toMatchObject({
        key: `${GATEWAY}/sensor-0`,
        headers: {
          ce_specversion: '1.0',
          ce_id: `${GATEWAY}:${EPOCH}:00000000000000000001`,
          ce_source: `/gateways/${GATEWAY}`,
          ce_type: 'sluice.telemetry',
          'content-type': 'application/octet-stream',
          ce_time: '2026-11-03T11:59:00.250Z',
          ce_recordedtime: '2026-11-03T12:00:00.250Z',
          ce_timequality: 'unsynced',
          ce_channel: 'plant/line 1/Küche',
        },
      });
    });

    it('stay in the order of their seqs for each key', async () => {
      const records = Array.from({ length: 2_500 }, (_, index) => newRecord({ device: `sensor-${index % 40}` }));
      const topic = await deliver(records, { batch: { maxRecords: 300, maxBytes: 1 << 20, maxWait: 0 } });
      const byKey = Map.groupBy(await kafka.topicRecords(topic), ({ key }) => key);
      expect(byKey.size).toBe(40);
      for (const [key, list] of byKey) {
        const seqs = list.map(({ headers }) => seqOfEventId(headers['ce_id']));
        expect(seqs, `order of ${key}`).toEqual(seqs.toSorted((a, b) => a - b));
      }
    });

    it('carry the type of their event', async () => {
      const topic = await deliver([newRecord({ stream: 'events', eventType: 'door', contentType: 'text/plain' })]);
      const [record] = await kafka.topicRecords(topic);
      expect(record?.headers).toMatchObject({ ce_type: 'sluice.events.door', 'content-type': 'text/plain' });
    });

    it.each(['gzip', 'zstd'] as const)('are readable when they are compressed by %s', async (compression) => {
      const topic = await deliver(
        Array.from({ length: 500 }, () => newRecord()),
        { compression },
      );
      const records = await kafka.topicRecords(topic);
      expect(records).toHaveLength(500);
      expect(records[0]?.value.toString()).toBe('{"temperature":21.5}');
    });

    it('are whole CloudEvents when the envelope is structured', async () => {
      const topic = await deliver([newRecord({ receivedAt: RECEIVED_AT })], { envelope: 'structured' });
      const [record] = await kafka.topicRecords(topic);
      expect(record?.headers).toEqual({ 'content-type': 'application/cloudevents+json; charset=UTF-8' });
      expect(JSON.parse(String(record?.value))).toEqual({
        specversion: '1.0',
        id: `${GATEWAY}:${EPOCH}:00000000000000000001`,
        source: `/gateways/${GATEWAY}`,
        type: 'sluice.telemetry',
        subject: 'device-1',
        time: '2026-11-03T12:00:00.250Z',
        datacontenttype: 'application/json',
        data: { temperature: 21.5 },
      });
    });

    it('bear the time of their sending, or of their observation when that is asked for', async () => {
      const before = Date.now();
      const observedAt = before - 3_600_000;
      const [sent] = await kafka.topicRecords(await deliver([newRecord({ observedAt })]));
      expect(sent?.timestamp).toBeGreaterThanOrEqual(before);
      await uplink.stop();
      const [observed] = await kafka.topicRecords(
        await deliver([newRecord({ observedAt })], { timestamp: 'observed' }),
      );
      expect(observed?.timestamp).toBe(observedAt);
      expect(observed?.headers).not.toHaveProperty('ce_time');
    });

    it('are delivered with the time of sending when the topic refuses that of observation', async () => {
      const topics = topicsUnder(`strict-times-${client}`);
      await kafka.createTopic(topics.telemetry, { config: { 'message.timestamp.before.max.ms': '60000' } });
      const old = Date.now() - 86_400_000;
      const topic = topics.telemetry;
      await deliver([newRecord({ receivedAt: old }), newRecord({ receivedAt: old })], {
        topics,
        timestamp: 'observed',
      });
      const records = await kafka.topicRecords(topic);
      expect(records).toHaveLength(2);
      expect(records[0]?.timestamp).toBeGreaterThan(old + 60_000);
      expect(records[0]?.headers['ce_time']).toBe(new Date(old).toISOString());
      expect(uplink.counts()).toMatchObject({ deliveredCount: 2, rejectedCount: 0 });
    });

    it('go into a topic that is made as it was ordered', async () => {
      const topic = await deliver([newRecord()], { createTopics: { partitions: 5, replicationFactor: 1 } });
      const { topics } = await kafka.admin((admin) => admin.fetchTopicMetadata({ topics: [topic] }));
      expect(topics[0]?.partitions).toHaveLength(5);
    });

    it('of several streams may share one topic', async () => {
      const shared = `shared-${client}`;
      const topics = { ...topicsUnder(shared), telemetry: shared, events: shared };
      await deliver([newRecord(), newRecord({ stream: 'events', eventType: 'door' })], { topics });
      await uplink.drained('events');
      expect(await kafka.countRecords(shared)).toBe(2);
    });
  });

  it('are the same whichever library sent them', async () => {
    const records = Array.from({ length: 40 }, (_, index) =>
      newRecord({
        device: `sensor-${index}`,
        receivedAt: RECEIVED_AT,
        observedAt: RECEIVED_AT - index,
        timeQuality: index % 3 === 0 ? 'unsynced' : 'synced',
        contentType: 'text/plain',
        channel: 'Küche',
        value: Buffer.from('ü'.repeat(index)),
      }),
    );
    const seen: unknown[] = [];
    for (client of KAFKA_CLIENTS) {
      const arrived = await kafka.topicRecords(await deliver(records, { channelHeader: true }));
      // Headers in their order.
      seen.push(
        arrived.map(({ timestamp: _, headers, ...record }) => ({ ...record, headers: Object.entries(headers) })),
      );
      await uplink.stop();
    }
    expect(seen[0]).toHaveLength(records.length);
    for (const records of seen) expect(records).toEqual(seen[0]);
  });

  describe('of routes that name a topic', () => {
    const routes: readonly TopicRoute[] = [
      { topic: 'plant/line-1/#', stream: 'telemetry', kafkaTopic: 'routed.{gateway}.line-1' },
      { topic: 'plant/+line/+device', stream: 'telemetry', kafkaTopic: undefined },
      { topic: 'plant/#rest', stream: 'telemetry', kafkaTopic: 'routed.rest.{stream}' },
    ];
    const CHANNELS = ['plant/line-1/press', 'plant/line-2/press', 'plant/hall/line/x', 'devices/press/telemetry'];
    const options = (): KafkaUplinkOptions =>
      kafkaOptions({
        brokers: [kafka.bootstrap],
        topics: topicsUnder('routed'),
        streams: ['telemetry'],
        batch: { maxRecords: 100, maxBytes: 1 << 20, maxWait: 0 },
      });
    const TOPICS = [`routed.${GATEWAY}.line-1`, 'routed.telemetry', 'routed.rest.telemetry'];
    const countOf = async (topic: string): Promise<number> => (await kafka.topicRecords(topic)).length;

    it('go there, each topic in its order, and what has none goes to the topic of the stream', async () => {
      const running = await runUplink({ ...options(), createTopics: true }, undefined, routes);
      uplink = running;
      for (const channel of CHANNELS.concat(CHANNELS)) running.append(50, { channel });
      await running.drained();
      expect(await Promise.all(TOPICS.map(countOf))).toEqual([100, 200, 100]);
      const [records] = await Promise.all(TOPICS.map((topic) => kafka.topicRecords(topic)));
      const seqs = (records ?? []).map(({ headers }) => seqOfEventId(headers['ce_id']));
      expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
    });

    it('wait, with all behind them, for a topic that is missing, and nothing is lost', async () => {
      const missing = { ...(routes[0] as TopicRoute), kafkaTopic: 'routed.late' };
      const running = await runUplink(options(), undefined, [missing]);
      uplink = running;
      running.append(10, { channel: 'plant/line-2/press' });
      running.append(10, { channel: 'plant/line-1/press' });
      running.append(10, { channel: 'plant/line-2/press' });
      await running.reaches('blocked');
      expect(running.status()?.reason).toContain('routed.late');
      expect(running.counts()).toMatchObject({ deliveredCount: 10, pendingCount: 20, rejectedCount: 0 });
      await kafka.createTopic('routed.late');
      await running.drained();
      expect(await countOf('routed.late')).toBe(10);
    });
  });
});
