import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { freePort } from '../support/free-port.ts';
import { type Kafka, prepareKafka } from '../support/kafka.ts';
import type { KafkaRecord } from '../support/kafka-reader.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { startTcpRelay, type TcpRelay } from '../support/tcp-relay.ts';
import { KAFKA_CLIENTS, kafkaOptions, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const WAIT = { timeoutMs: 30_000 };

/** What becomes of the records while Kafka, or the way to it, is not well. */
describe.each(KAFKA_CLIENTS)('%s with a Kafka that is not well', { timeout: 60_000 }, (client) => {
  let kafka: Kafka;
  let relay: TcpRelay;
  let uplink: RunningUplink | undefined;
  let topicCount = 0;
  let topic: string;

  beforeAll(async () => {
    const relayPort = await freePort();
    kafka = await prepareKafka({
      advertisedPort: relayPort,
      extraProperties: { 'message.max.bytes': 200_000, 'log.retention.check.interval.ms': 200 },
    });
    relay = await startTcpRelay(kafka.relayTarget, relayPort);
  });
  afterAll(async () => {
    await relay.close();
    await kafka.stop();
  });
  afterEach(async () => {
    await uplink?.stop();
    uplink = undefined;
  });

  async function run(options: Partial<KafkaUplinkOptions> = {}): Promise<RunningUplink> {
    topicCount += 1;
    const topics = topicsUnder(`faults-${topicCount}`);
    topic = topics.telemetry;
    const running = await runUplink(
      kafkaOptions({
        client,
        brokers: [`127.0.0.1:${relay.port}`],
        topics,
        createTopics: { partitions: 3, replicationFactor: 1 },
        streams: ['telemetry', 'events'],
        batch: { maxRecords: 100, maxBytes: 1 << 20, maxWait: 0 },
        connectionTimeout: 1_000,
        requestTimeout: 1_500,
        ...options,
      }),
    );
    uplink = running;
    return running;
  }

  const seqsOf = (records: readonly KafkaRecord[]): number[] =>
    records.map(({ headers }) => seqOfEventId(headers['ce_id']));

  /** Everything is there, each key in order of first arrival, and the counts agree. */
  async function expectAll(running: RunningUplink, seqs: readonly number[]): Promise<void> {
    const records = await kafka.topicRecords(topic);
    expect([...new Set(seqsOf(records))].sort((a, b) => a - b)).toEqual(seqs);
    for (const list of Map.groupBy(records, ({ key }) => key).values()) {
      const first = [...new Set(seqsOf(list))];
      expect(first).toEqual(first.toSorted((a, b) => a - b));
    }
    expect(running.counts()).toMatchObject({ deliveredCount: seqs.length, rejectedCount: 0, pendingCount: 0 });
  }

  /** Records keep coming while `disturb` does its work. */
  async function underLoad(running: RunningUplink, disturb: () => Promise<void>): Promise<number[]> {
    const seqs = running.append(300);
    const timer = setInterval(() => seqs.push(...running.append(20)), 5);
    const target = running.counts().deliveredCount + 200;
    await waitFor(() => running.counts().deliveredCount > target, { ...WAIT, what: 'records to flow' });
    await running.reaches('up');
    try {
      await disturb();
    } finally {
      clearInterval(timer);
    }
    await running.drained();
    return seqs;
  }

  it('begins when Kafka comes, if it was not there at the start', async () => {
    const running = await run();
    const seqs = running.append(250);
    await running.reaches('down');
    expect(running.status()?.reason).toContain('check that Kafka runs');
    await kafka.start();
    await running.drained();
    await expectAll(running, seqs);
    await running.reaches('up');
  });

  it('loses nothing when Kafka is killed under load and comes back', async () => {
    const running = await run();
    const seqs = await underLoad(running, async () => {
      await kafka.kill();
      await running.reaches('down');
      await kafka.start();
    });
    await expectAll(running, seqs);
  });

  it('loses nothing when the network freezes without a word, and comes back', async () => {
    const running = await run();
    const seqs = await underLoad(running, async () => {
      relay.freeze();
      await running.reaches('down');
      expect(running.status()?.code).toBe('upstream_timeout');
      relay.thaw();
    });
    await expectAll(running, seqs);
  });

  it('leaves a connection that is dead but open', async () => {
    const running = await run();
    const seqs = await underLoad(running, async () => {
      relay.blackhole();
      await running.reaches('down');
    });
    await expectAll(running, seqs);
  });

  it('loses nothing when Kafka stands still, and goes on', async () => {
    const running = await run();
    const seqs = await underLoad(running, async () => {
      kafka.pause();
      await running.reaches('down');
      kafka.resume();
    });
    await expectAll(running, seqs);
  });

  it('loses nothing when connections are reset or refused', async () => {
    const running = await run();
    const seqs = await underLoad(running, async () => {
      // A connection that is reset between two requests is only opened again.
      const resetting = setInterval(() => relay.reset(), 5);
      await running.reaches('down').finally(() => clearInterval(resetting));
      await running.reaches('up');
      await relay.refuse();
      await running.reaches('down');
      await relay.accept();
    });
    await expectAll(running, seqs);
  });

  it('is blocked by a missing topic, says what to do, holds up no other stream, and goes on when it is made', async () => {
    const running = await run({ createTopics: false, backoff: { initial: 20, max: 200 } });
    await kafka.createTopic(topic.replace('telemetry', 'events'));
    const seqs = running.append(50);
    running.append(5, { stream: 'events', eventType: 'door' });
    await running.drained('events');
    await running.reaches('blocked');
    expect(running.status()?.reason).toContain(`create the topic ${topic}`);
    expect(running.counts()).toMatchObject({ pendingCount: 50, rejectedCount: 0 });
    await kafka.createTopic(topic);
    await running.drained();
    await expectAll(running, seqs);
    await running.reaches('up');
  });

  it('blocks only the stream whose topic is deleted', async () => {
    const running = await run({ createTopics: false, backoff: { initial: 20, max: 200 } });
    const events = topic.replace('telemetry', 'events');
    await kafka.createTopic(topic);
    await kafka.createTopic(events);
    const seqs = running.append(10);
    running.append(10, { stream: 'events', eventType: 'door' });
    await running.drained();
    await running.drained('events');
    await kafka.deleteTopic(events);
    running.append(10, { stream: 'events', eventType: 'door' });
    await running.reaches('blocked');
    expect(running.status()?.reason).toContain(events);
    seqs.push(...running.append(300));
    await running.drained();
    await expectAll(running, seqs);
    expect(running.counts('events').pendingCount).toBe(10);
    await kafka.createTopic(events);
    await running.drained('events');
  });

  it('delivers to the end what a topic with a short retention deletes again', async () => {
    const running = await run({ createTopics: false });
    const config = { 'retention.ms': '100', 'segment.ms': '100', 'file.delete.delay.ms': '0' };
    await kafka.createTopic(topic, { partitions: 3, config });
    await underLoad(running, async () => {
      await waitFor(async () => (await kafka.countRecords(topic)) < running.counts().deliveredCount, {
        ...WAIT,
        what: 'Kafka to delete records',
      });
    });
    expect(running.counts()).toMatchObject({ rejectedCount: 0, pendingCount: 0 });
    expect(running.status()?.state).toBe('up');
  });

  it('sets aside the one record that the topic can never take, and delivers all others', async () => {
    const running = await run();
    const seqs = running.append(40);
    const [large = 0] = running.append(1, { value: Buffer.alloc(400_000, 'x'), contentType: 'text/plain' });
    seqs.push(...running.append(40));
    await running.drained();
    expect(running.log.rejected({ uplink: 'plant', stream: 'telemetry' })).toMatchObject([
      { seq: large, reason: 'message_too_large' },
    ]);
    const arrived = new Set(seqsOf(await kafka.topicRecords(topic)));
    expect([...arrived].sort((a, b) => a - b)).toEqual(seqs);
    expect(running.counts()).toMatchObject({ deliveredCount: 80, rejectedCount: 1, pendingCount: 0 });
  });

  it('sends smaller requests when the topic takes no larger ones', async () => {
    const running = await run({ batch: { maxRecords: 1_000, maxBytes: 1 << 20, maxWait: 0 } });
    const seqs = running.append(200, { value: Buffer.from(JSON.stringify('x'.repeat(4_000))) });
    await running.drained();
    await expectAll(running, seqs);
  });

  it('stops and starts again without losing its place', async () => {
    const running = await run();
    const seqs = running.append(2_000);
    await waitFor(() => running.counts().deliveredCount > 0, { ...WAIT, what: 'records to flow' });
    await running.stop();
    const stoppedAt = running.counts().deliveredCount;
    const options = kafkaOptions({ client, brokers: [kafka.bootstrap], topics: topicsUnder(`faults-${topicCount}`) });
    uplink = await runUplink({ ...options, streams: ['telemetry'] }, running.log);
    await uplink.drained();
    expect(stoppedAt).toBeLessThanOrEqual(2_000);
    await expectAll(uplink, seqs);
  });
});
