import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { GatewayIdentity, KafkaUplinkOptions, TopicRoute } from '../../src/uplink/options.ts';
import { FakeLog } from '../support/fake-log.ts';
import { freePort } from '../support/free-port.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { freezeInTransaction, QUICK_ABORT, untilAborted } from '../support/kafka-transactions.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { startTcpRelay, type TcpRelay } from '../support/tcp-relay.ts';
import { IDENTITY, KAFKA_CLIENTS, kafkaOptions, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const LANE = { uplink: 'plant', stream: 'telemetry' } as const;
const OTHER = { instanceId: '00000000000000ff', hostName: 'shed-pi', epoch: 'fedcba9876543210' };

describe.each(KAFKA_CLIENTS)('exactly once over %s', { timeout: 60_000 }, (client) => {
  let kafka: Kafka;
  let relay: TcpRelay;
  let uplinks: RunningUplink[] = [];
  let testCount = 0;

  beforeAll(async () => {
    const relayPort = await freePort();
    kafka = await startKafka({
      advertisedPort: relayPort,
      extraProperties: {
        'message.max.bytes': 200_000,
        ...QUICK_ABORT,
      },
    });
    relay = await startTcpRelay(kafka.relayTarget, relayPort);
  });
  afterAll(async () => {
    await relay.close();
    await kafka.stop();
  });
  afterEach(async () => {
    await Promise.all(uplinks.map((uplink) => uplink.stop()));
    uplinks = [];
    testCount += 1;
  });

  const topicOf = (stream: string): string => `once-${testCount}.${stream}`;

  interface Circumstances {
    readonly log?: FakeLog;
    readonly routes?: readonly TopicRoute[];
    readonly identity?: Partial<GatewayIdentity>;
  }

  /** Names at Kafka are those of this test and this client. */
  async function run(options: Partial<KafkaUplinkOptions> = {}, how: Circumstances = {}): Promise<RunningUplink> {
    const running = await runUplink(
      kafkaOptions({
        client,
        delivery: 'exactly_once',
        brokers: [`127.0.0.1:${relay.port}`],
        topics: topicsUnder(`once-${testCount}`),
        createTopics: { partitions: 3, replicationFactor: 1 },
        streams: ['telemetry'],
        batch: { maxRecords: 100, maxBytes: 1 << 20, maxWait: 0 },
        backoff: { initial: 20, max: 300 },
        ...options,
      }),
      how.log,
      how.routes,
      { gatewayId: `gateway-${testCount}`, ...how.identity },
    );
    uplinks.push(running);
    return running;
  }

  /** What a reader of `read_committed` finds, by partition. */
  async function seqsIn(topic = topicOf('telemetry')): Promise<number[]> {
    const records = await kafka.topicRecords(topic);
    return records.map(({ headers }) => seqOfEventId(headers['ce_id']));
  }

  /** Each is there once, and the records of each device in their order. */
  async function expectOnce(seqs: readonly number[], topic = topicOf('telemetry')): Promise<void> {
    expect((await seqsIn(topic)).toSorted((a, b) => a - b)).toEqual(seqs);
    const records = await kafka.topicRecords(topic);
    for (const list of Map.groupBy(records, ({ key }) => key).values()) {
      const order = list.map(({ headers }) => seqOfEventId(headers['ce_id']));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
  }

  it('does not send again what Kafka holds although its settlement never got to the disk', async () => {
    const log = new FakeLog();
    log.beforeSettle = () => new Promise(() => undefined);
    const before = await run({}, { log });
    const seqs = before.append(100);
    await waitFor(async () => (await seqsIn()).length === 100, { what: 'the batch to arrive', timeoutMs: 20_000 });
    await before.stop();
    expect(log.counts(LANE)).toMatchObject({ deliveredCount: 0, pendingCount: 100 });

    log.beforeSettle = () => Promise.resolve();
    const after = await run({}, { log });
    seqs.push(...after.append(150));
    await after.drained();
    await expectOnce(seqs);
    expect(after.counts()).toMatchObject({ deliveredCount: 250, rejectedCount: 0 });
  });

  it('sets aside the records that the topic can never take, and sends all others once', async () => {
    const running = await run();
    const poison = { value: Buffer.alloc(400_000, 'x'), contentType: 'text/plain' } as const;
    const good = running.append(40);
    const bad = running.append(1, poison);
    good.push(...running.append(30));
    bad.push(...running.append(2, poison));
    good.push(...running.append(10));
    await running.drained();
    expect(running.log.rejected(LANE).map(({ seq, reason }) => [seq, reason])).toEqual(
      bad.map((seq) => [seq, 'message_too_large']),
    );
    await expectOnce(good);
    expect(running.counts()).toMatchObject({ deliveredCount: 80, rejectedCount: 3, pendingCount: 0 });
  });

  it('moves past a reject only when that is on disk', async () => {
    const log = new FakeLog();
    const held = Promise.withResolvers<void>();
    log.beforeSettle = ({ rejected }) => (rejected.length > 0 ? held.promise : Promise.resolve());
    const running = await run({}, { log });
    const good = running.append(5);
    running.append(1, { value: Buffer.alloc(400_000, 'x'), contentType: 'text/plain' });
    const behind = running.append(5);
    await waitFor(async () => (await seqsIn()).length === 5, { what: 'what stands before it', timeoutMs: 20_000 });
    await relay.refuse();
    await relay.accept();
    expect((await seqsIn()).toSorted((a, b) => a - b)).toEqual(good);
    held.resolve();
    await running.drained();
    await expectOnce([...good, ...behind]);
  });

  it('puts a batch that goes to several topics into one transaction', async () => {
    const routes = [{ topic: 'doors/+device', stream: 'telemetry', kafkaTopic: topicOf('doors') }] as const;
    const log = new FakeLog();
    const running = await run({ createTopics: false }, { log, routes });
    await kafka.createTopic(topicOf('telemetry'));
    const own = running.append(20);
    const routed = running.append(20, { channel: 'doors/front' });
    await running.reaches('blocked');
    expect(await seqsIn()).toEqual([]);
    await kafka.createTopic(topicOf('doors'));
    await running.drained();
    await expectOnce(own);
    await expectOnce(routed, topicOf('doors'));
  });

  it('is blocked by a gateway that has its name, says whose name it has, and disturbs it not', async () => {
    const first = await run();
    const seqs = first.append(50);
    await first.drained();
    const second = await run({}, { identity: OTHER });
    second.append(50);
    await second.reaches('blocked');
    expect(second.status()).toMatchObject({ code: 'name_taken' });
    expect(second.status()?.reason).toContain(`${IDENTITY.instanceId} on host ${IDENTITY.hostName}`);
    expect(second.status()?.reason).toContain(`replaces: "${IDENTITY.instanceId}"`);
    seqs.push(...first.append(50));
    await first.drained();
    expect(first.logger.lines.filter(({ level }) => level === 'warn')).toEqual([]);
    await expectOnce(seqs);
    expect(second.counts()).toMatchObject({ deliveredCount: 0, pendingCount: 50 });
  });

  it('takes the name over when it is told whose, and blocks that one', async () => {
    const first = await run();
    first.append(50);
    await first.drained();
    const second = await run({ replaces: IDENTITY.instanceId }, { identity: OTHER });
    second.append(70);
    await second.drained();
    first.append(30);
    await first.reaches('blocked');
    expect(first.status()?.reason).toContain(`${OTHER.instanceId} on host ${OTHER.hostName}`);
    expect(first.counts()).toMatchObject({ deliveredCount: 50, pendingCount: 30 });
    second.append(30);
    await second.drained();
    expect(await seqsIn()).toHaveLength(150);
  });

  it('is blocked by a copy of itself that was started beside it', async () => {
    const original = await run();
    original.append(20);
    await original.drained();
    const log = new FakeLog();
    const copy = await run({}, { log });
    copy.append(60);
    await copy.drained();
    original.append(20);
    await original.reaches('blocked');
    expect(original.status()).toMatchObject({ code: 'name_copied' });
    expect(original.counts()).toMatchObject({ deliveredCount: 20, pendingCount: 20 });
  });

  it('is blocked when it was put back to a time before what Kafka holds', async () => {
    const later = await run();
    later.append(20);
    await later.drained();
    await later.stop();
    const restored = await run({}, { identity: { firstSeq: 10 } });
    restored.append(30);
    await restored.reaches('blocked');
    expect(restored.status()).toMatchObject({ code: 'name_copied' });
    expect(restored.counts()).toMatchObject({ deliveredCount: 0, pendingCount: 30 });
  });

  it('begins anew with a log of another epoch', async () => {
    const before = await run();
    before.append(20);
    await before.drained();
    await before.stop();
    const after = await run({}, { identity: { epoch: OTHER.epoch } });
    after.append(10);
    await after.drained();
    expect(await seqsIn()).toHaveLength(30);
  });

  it('goes on by itself when the network was frozen until the broker gave the transaction up', async () => {
    const running = await run();
    const seqs = running.append(500);
    const timer = setInterval(() => seqs.push(...running.append(20)), 50);
    await waitFor(() => running.counts().deliveredCount > 300, { what: 'records to flow', timeoutMs: 20_000 });
    const open = await freezeInTransaction(relay, kafka.bootstrap);
    clearInterval(timer);
    expect(open).toEqual([`sluice.gateway-${testCount}.plant.telemetry`]);
    await untilAborted(kafka.bootstrap, open);
    await running.reaches('down');
    relay.thaw();
    await running.drained();
    await running.reaches('up');
    await expectOnce(seqs);
    expect(running.counts()).toMatchObject({ deliveredCount: seqs.length, rejectedCount: 0 });
  });

  it('loses and doubles nothing when Kafka is killed under load and comes back', async () => {
    const running = await run({ connectionTimeout: 1_000 });
    const seqs = running.append(500);
    const timer = setInterval(() => seqs.push(...running.append(20)), 50);
    await waitFor(() => running.counts().deliveredCount > 300, { what: 'records to flow', timeoutMs: 20_000 });
    await kafka.kill();
    await running.reaches('down');
    clearInterval(timer);
    await kafka.start();
    await running.drained();
    await expectOnce(seqs);
  });
});
