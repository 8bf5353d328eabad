import { randomUUID } from 'node:crypto';
import mqtt from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap } from '../../src/core/gap.ts';
import type { Stream } from '../../src/core/stream.ts';
import { type Entry, problemsOf } from '../support/accounts.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, prepareKafka } from '../support/kafka.ts';
import { seqOfEventId, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const VALUE = 'x'.repeat(1_000);
const MAX_BYTES = '4MiB';

interface Totals {
  readonly accepted: number;
  readonly dropped: number;
  readonly pending: number;
}

/** A buffer that runs over while Kafka is away; what a consumer then finds in all topics. */
describe('what Kafka gets after an outage that was too long', { timeout: 120_000 }, () => {
  let kafka: Kafka;
  let gateway: GatewayProcess;
  let topics: Record<Stream, string>;

  beforeEach(async () => {
    kafka = await prepareKafka();
    topics = topicsUnder(randomUUID());
  });

  afterEach(async () => {
    await gateway.dispose();
    await kafka.stop();
  });

  async function startGateway(highWater: number): Promise<void> {
    const backoff = { initial: '100ms', max: '500ms' };
    const uplink = { name: 'plant', type: 'kafka', brokers: [kafka.bootstrap], topics, backoff, createTopics: true };
    const buffer = { maxBytes: MAX_BYTES, keepFree: '16MiB', highWater };
    gateway = await GatewayProcess.create({ config: { uplinks: [uplink], buffer } });
    await gateway.start();
  }

  const totals = async (): Promise<Totals> =>
    ((await gateway.get('/v1/uplinks/plant')) as { readonly totals: Totals }).totals;

  async function deliverAll(): Promise<void> {
    await kafka.start();
    const isDone = async () => (await totals()).pending === 0;
    await waitFor(isDone, { what: 'everything to be delivered', timeoutMs: 60_000 });
  }

  async function post(device: string, path: string, body: unknown): Promise<Entry[]> {
    const response = await fetch(`http://127.0.0.1:${gateway.apiPort}/v1/devices/${device}/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(10_000),
    });
    expect(response.status).toBe(202);
    const { first_seq, count } = (await response.json()) as { readonly first_seq: number; readonly count: number };
    const stream = path === 'telemetry' ? 'telemetry' : 'events';
    return Array.from({ length: count }, (_, index) => ({ device, stream, seq: first_seq + index }));
  }

  /** Nearly what the buffer holds: few devices with much, many with little, in two streams. */
  async function overfill(): Promise<Entry[]> {
    const batch = Array.from({ length: 25 }, () => ({ text: VALUE }));
    const accepted: Entry[] = [];
    for (let round = 0; round < 100; round += 1) {
      const sent = [
        post(`meter-${round % 3}`, 'telemetry', batch),
        post(`sensor-${round % 40}`, 'telemetry', { text: VALUE }),
        post(`sensor-${round % 7}`, 'telemetry', batch.slice(0, 2)),
        post(`door-${round % 2}`, 'events/opened', { text: VALUE }),
      ];
      accepted.push(...(await Promise.all(sent)).flat());
    }
    return accepted;
  }

  async function entriesOf(stream: Stream): Promise<Entry[]> {
    const records = await kafka.topicRecords(topics[stream]);
    return records.map(({ key, headers }) => ({
      device: key?.replace('test-gateway/', '') ?? '',
      stream,
      seq: seqOfEventId(headers['ce_id']),
    }));
  }

  const gaps = async (): Promise<Gap[]> =>
    (await kafka.topicRecords(topics.gaps)).map(({ value }) => JSON.parse(String(value)) as Gap);

  it('is every record, or a gap that says which are missing', async () => {
    await startGateway(100);
    const accepted = await overfill();
    // What a limit has counted and reported must be so after a kill, too.
    await gateway.stop('SIGKILL');
    await gateway.start();
    const more = await overfill();
    await deliverAll();
    const delivered = [...(await entriesOf('telemetry')), ...(await entriesOf('events'))];
    const reported = await gaps();
    expect(problemsOf([...accepted, ...more], delivered, reported)).toEqual([]);
    const missing = reported.reduce((sum, { count }) => sum + count, 0);
    expect(delivered.length + missing).toBe(accepted.length + more.length);
    expect(missing).toBeGreaterThan(accepted.length / 4);
    expect(reported.filter(({ reason }) => reason !== 'max_bytes')).toEqual([]);
    expect(new Set(reported.map(({ device }) => device === null))).toEqual(new Set([true, false]));
    // Events are more precious than telemetry of which there is plenty.
    expect(reported.filter(({ stream }) => stream !== 'telemetry')).toEqual([]);
  });

  /** Each message is acknowledged when this resolves. */
  async function publish(device: string, count: number): Promise<void> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.mqttPort}`, { clientId: device });
    const payload = JSON.stringify({ text: VALUE });
    const sent = Array.from({ length: count }, () =>
      client.publishAsync(`devices/${device}/telemetry`, payload, { qos: 1 }),
    );
    await Promise.all(sent);
    await client.endAsync();
  }

  it('is every message that was acknowledged, or a gap that says how many were refused for a share', async () => {
    await startGateway(50);
    await publish('quiet', 1);
    await publish('chatty', 4_000);
    await publish('quiet', 50);
    // What was refused and not reported yet must not be forgotten.
    await gateway.stop('SIGKILL');
    await gateway.start();
    await deliverAll();
    const refusedCount = async () => (await gaps()).reduce((sum, { count }) => sum + count, 0);
    const delivered = await entriesOf('telemetry');
    expect(delivered.filter(({ device }) => device === 'quiet')).toHaveLength(51);
    const missing = 4_000 - (delivered.length - 51);
    expect(missing).toBeGreaterThan(0);
    const isReported = async () => (await refusedCount()) === missing;
    await waitFor(isReported, { what: `gaps of ${missing}`, timeoutMs: 30_000 });
    const reported = await gaps();
    for (const gap of reported) {
      expect(gap).toMatchObject({ device: 'chatty', stream: 'telemetry', first_seq: null, reason: 'share' });
    }
    expect(reported.length).toBeLessThan(20);
    expect(await totals()).toMatchObject({ dropped: 0 });
  });
});
