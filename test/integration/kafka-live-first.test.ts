import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { FakeLog } from '../support/fake-log.ts';
import { type Kafka, startKafka } from '../support/kafka.ts';
import { runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, seqOfEventId, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const DELIVERIES = ['at_least_once', 'exactly_once'] as const;
const CASES = KAFKA_CLIENTS.flatMap((client) => DELIVERIES.map((delivery) => ({ client, delivery })));

/** A record as a reader of `read_committed` sees it. */
interface Seen {
  readonly key: string | null;
  readonly seq: number;
  /** '' for the lane itself. */
  readonly part: string;
}

describe('a backlog and a replay beside the lane, in Kafka,', { timeout: 90_000 }, () => {
  let kafka: Kafka;

  beforeAll(async () => {
    kafka = await startKafka();
  });
  afterAll(() => kafka.stop());

  async function seen(topic: string): Promise<Seen[]> {
    const records = await kafka.topicRecords(topic);
    return records.map(({ key, headers }) => ({
      key,
      seq: seqOfEventId(headers['ce_id']),
      part: headers['ce_lane'] ?? '',
    }));
  }

  it.each(CASES)('are marked, in order per key, and each record comes once: $delivery over $client', async (how) => {
    const prefix = randomUUID();
    const options: Partial<KafkaUplinkOptions> = {
      ...how,
      brokers: [kafka.bootstrap],
      name: prefix,
      topics: topicsUnder(prefix),
      streams: ['telemetry'],
      createTopics: { partitions: 3, replicationFactor: 1 },
      order: 'live_first',
      batch: { maxRecords: 10, maxBytes: 1 << 20, maxWait: 0 },
    };
    const log = new FakeLog();
    const all: number[] = [];
    for (const round of [1, 2]) {
      const uplink = await runUplink(kafkaOptions(options), log, [], { firstSeq: all.length + 1 });
      await uplink.drained();
      await waitFor(async () => (await log.replays()).every(({ isDone }) => isDone), {
        what: () => `the replays (${uplink.status()?.reason})`,
        timeoutMs: 20_000,
      });
      await uplink.stop();
      if (round === 2) break;
      all.push(...uplink.append(60));
      await log.skipAhead({ uplink: prefix, stream: 'telemetry' });
      const range = { after: 0, upTo: Number.MAX_SAFE_INTEGER, from: null, to: null };
      await log.addReplay({ uplink: prefix, stream: 'telemetry', device: 'sensor-1', ...range });
      all.push(...uplink.append(45));
    }
    const parts = Map.groupBy(await seen(`${prefix}.telemetry`), ({ part }) => part);
    const once = [...(parts.get('') ?? []), ...(parts.get('backfill') ?? [])].map(({ seq }) => seq);
    expect(once.toSorted((a, b) => a - b)).toEqual(all);
    expect(parts.get('backfill')?.length).toBeGreaterThanOrEqual(60);
    const again = parts.get('replay') ?? [];
    expect(again).toHaveLength(12);
    expect(new Set(again.map(({ key }) => key?.split('/')[1]))).toEqual(new Set(['sensor-1']));
    for (const part of parts.values()) {
      for (const ofKey of Map.groupBy(part, ({ key }) => key).values()) {
        const seqs = ofKey.map(({ seq }) => seq);
        expect(seqs).toEqual(seqs.toSorted((a, b) => a - b));
      }
    }
  });
});
