import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaClientName } from '../../src/uplink/options.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import type { KafkaRecord } from '../support/kafka-reader.ts';
import { KAFKA_CLIENTS, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';
import { countStore } from '../support/verify.ts';
import { waitFor } from '../support/wait-for.ts';

const TOPIC_RESOURCE = 2;
const LIMIT = 10_000;
const PICTURE = JSON.stringify({ picture: 'x'.repeat(4 * LIMIT) });

interface Reject {
  readonly id: number;
  readonly seq: number;
  readonly reason: string;
}

interface Counts {
  readonly accepted: number;
  readonly delivered: number;
  readonly rejected: number;
}

/** What the operator sees and does when Kafka refuses a record: through the API of a gateway, and on the broker. */
describe('a record that Kafka refuses', { timeout: 90_000 }, () => {
  let kafka: Kafka;
  let gateway: GatewayProcess;
  let topic: string;

  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka.stop());
  afterEach(() => gateway.dispose());

  async function start(client: KafkaClientName): Promise<void> {
    const topics = topicsUnder(randomUUID());
    topic = topics.telemetry;
    await kafka.createTopic(topic, { config: { 'max.message.bytes': String(LIMIT) } });
    const uplink = { name: 'plant', type: 'kafka', client, brokers: [kafka.bootstrap], topics, streams: ['telemetry'] };
    gateway = await GatewayProcess.create({ config: { uplinks: [uplink] } });
    await gateway.start();
  }

  async function call(method: 'POST' | 'DELETE', path: string, body = ''): Promise<[status: number, body: unknown]> {
    const response = await fetch(`http://127.0.0.1:${gateway.apiPort}${path}`, {
      method,
      headers: { 'content-type': 'application/json' },
      signal: AbortSignal.timeout(10_000),
      ...(body === '' ? {} : { body }),
    });
    const text = await response.text();
    return [response.status, text === '' ? null : JSON.parse(text)];
  }

  /** The seq of the record that a body becomes. */
  async function store(body: string): Promise<number> {
    const [status, answer] = await call('POST', '/v1/devices/camera/telemetry', body);
    expect(status).toBe(202);
    return (answer as { readonly first_seq: number }).first_seq;
  }

  const rejects = async (): Promise<readonly Reject[]> =>
    ((await gateway.get('/v1/rejects')) as { readonly rejects: readonly Reject[] }).rejects;

  /** Resolves when nothing is pending, and the counts are these. */
  async function settled(counts: Counts): Promise<void> {
    const expected = { ...counts, dropped: 0, pending: 0 };
    const isThere = async (): Promise<boolean> => {
      const { totals } = (await gateway.get('/v1/uplinks/plant')) as { readonly totals: unknown };
      return isDeepStrictEqual(totals, expected);
    };
    await waitFor(isThere, { what: `the counts to be ${JSON.stringify(counts)}`, timeoutMs: 30_000 });
  }

  /** One that is rejected, between two that arrive. */
  async function storeAround(): Promise<Reject> {
    await store('{"before":1}');
    const seq = await store(PICTURE);
    await store('{"after":1}');
    await settled({ accepted: 3, delivered: 2, rejected: 1 });
    const [reject, ...more] = await rejects();
    expect([reject, more]).toMatchObject([{ seq, reason: 'message_too_large', uplink: 'plant' }, []]);
    return reject as Reject;
  }

  async function raiseLimit(): Promise<void> {
    const configEntries = [{ name: 'max.message.bytes', value: String(10 * LIMIT) }];
    const resources = [{ type: TOPIC_RESOURCE, name: topic, configEntries }];
    await kafka.admin((admin) => admin.alterConfigs({ validateOnly: false, resources }));
  }

  const valuesOf = (records: readonly KafkaRecord[]): string[] => records.map(({ value }) => String(value));

  it.each(KAFKA_CLIENTS)('from %s arrives once when the limit is raised and it is tried again', async (client) => {
    await start(client);
    const { id, seq } = await storeAround();
    expect((await call('POST', `/v1/rejects/${id}/retry`))[0]).toBe(202);
    await settled({ accepted: 4, delivered: 2, rejected: 2 });
    const [again] = await rejects();
    expect(again?.id).toBeGreaterThan(id);

    await gateway.stop('SIGKILL');
    await raiseLimit();
    await gateway.start();
    const [status, retried] = await call('POST', `/v1/rejects/${again?.id}/retry`);
    expect([status, retried]).toMatchObject([202, { retry_of: { uplink: 'plant', seq: again?.seq } }]);
    await settled({ accepted: 5, delivered: 3, rejected: 2 });
    expect(await rejects()).toEqual([]);
    expect((await call('POST', `/v1/rejects/${again?.id}/retry`))[0]).toBe(404);

    const records = await kafka.topicRecords(topic);
    expect(valuesOf(records)).toEqual(['{"before":1}', '{"after":1}', PICTURE]);
    const [, , record] = records;
    expect(record?.key).toBe('test-gateway/camera');
    expect(seqOfEventId(record?.headers['ce_id'])).toBe((retried as { readonly seq: number }).seq);
    expect(seqOfEventId(record?.headers['ce_retryof'])).toBe(again?.seq);
    const old = (await gateway.get(`/v1/records/${seq}`)) as { readonly received_at: string };
    expect(record?.headers['ce_time']).toBe(old.received_at);
    await expectCounted({ accepted: 5, delivered: 3, rejected: 2 });
  });

  it('does not arrive when it is removed, and stays counted as rejected', async () => {
    await start('kafkajs');
    const { id } = await storeAround();
    await raiseLimit();
    expect(await call('DELETE', `/v1/rejects/${id}`)).toEqual([204, null]);
    expect((await call('DELETE', `/v1/rejects/${id}`))[0]).toBe(404);
    expect(await rejects()).toEqual([]);
    await store('{"later":1}');
    await settled({ accepted: 4, delivered: 3, rejected: 1 });
    expect(valuesOf(await kafka.topicRecords(topic))).toEqual(['{"before":1}', '{"after":1}', '{"later":1}']);
    await expectCounted({ accepted: 4, delivered: 3, rejected: 1 });
  });

  /** The metrics, and the rows of the stopped store, say the same. */
  async function expectCounted({ accepted, delivered, rejected }: Counts): Promise<void> {
    const metrics = await (await fetch(`http://127.0.0.1:${gateway.apiPort}/metrics`)).text();
    const labels = '{uplink="plant",stream="telemetry"}';
    expect(metrics).toContain(`sluice_records_delivered_total${labels} ${delivered}\n`);
    expect(metrics).toContain(`sluice_records_rejected_total${labels} ${rejected}\n`);
    await gateway.stop();
    const { lanes, problems } = countStore(gateway.dataDir, { deep: true });
    expect(problems).toEqual([]);
    expect(lanes).toMatchObject([
      { acceptedCount: accepted, deliveredCount: delivered, rejectedCount: rejected, pendingCount: 0 },
    ]);
  }
});
