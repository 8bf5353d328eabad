import { describe, expect, it } from 'vitest';
import { SluiceError } from '../../../../src/core/errors.ts';
import type { LaneId } from '../../../../src/core/lane-log.ts';
import type { StoredRecord } from '../../../../src/core/record.ts';
import type { Outcome } from '../../../../src/core/upstream.ts';
import type { Judgement } from '../../../../src/uplink/kafka/judgement.ts';
import type { KafkaClient } from '../../../../src/uplink/kafka/kafka-client.ts';
import { KafkaUpstream } from '../../../../src/uplink/kafka/kafka-upstream.ts';
import { storedRecord } from '../../../support/stored-record.ts';
import { IDENTITY, kafkaOptions, upstreamParts } from '../../../support/uplink-options.ts';

const LANE: LaneId = { uplink: 'plant', stream: 'telemetry' };
const OWN = 'sluice.telemetry';
const CLOSED: Judgement = {
  kind: 'topic',
  error: new SluiceError('not authorized', { code: 'kafka_topic', hint: 'let this user Write' }),
};
const TOO_LARGE: Judgement = { kind: 'too_large', detail: 'it is too large' };

/** Takes everything but what a test wants refused, and counts what it took. */
class Faulty {
  readonly taken = new Map<string, number>();
  /** What a topic says to this many messages. */
  refusal: (topic: string, count: number) => Judgement | undefined = () => undefined;

  readonly client: KafkaClient = {
    isUsable: true,
    connect: async () => undefined,
    produce: async (topic, messages) => {
      const refusal = this.refusal(topic, messages.length);
      if (refusal !== undefined) throw refusal;
      this.taken.set(topic, (this.taken.get(topic) ?? 0) + messages.length);
    },
    transactional: () => {
      throw new Error('nobody asked for exactly once');
    },
    committed: async () => undefined,
    probe: async () => undefined,
    mayMeanAnother: () => false,
    createMissingTopics: async () => undefined,
    judge: (thrown) => thrown as Judgement,
    retire: () => undefined,
    destroy: () => undefined,
    close: async () => undefined,
  };
}

async function opened({ client }: Faulty): Promise<KafkaUpstream> {
  const routes = [{ topic: 'doors/+device', stream: 'telemetry', kafkaTopic: 'doors' } as const];
  const upstream = new KafkaUpstream({
    ...kafkaOptions(),
    ...upstreamParts(),
    ...IDENTITY,
    routes,
    createClient: () => client,
  });
  await upstream.open(new AbortController().signal);
  return upstream;
}

/** Offers what is behind the cursor, as a lane does. */
function offer(upstream: KafkaUpstream, after: number, records: readonly StoredRecord[]): Promise<Outcome> {
  const behind = records.filter(({ seq }) => seq > after);
  return upstream.send(LANE, after, behind, { deadlineMs: 10_000, signal: new AbortController().signal });
}

const DOOR = storedRecord(1, { channel: 'doors/front' });
const OTHERS = [2, 3, 4, 5].map((seq) => storedRecord(seq, { channel: 'devices/d/telemetry' }));

describe('a batch of which one topic is closed', () => {
  it('is sent once to the topics that take it, and goes on when that topic is open again', async () => {
    const kafka = new Faulty();
    const upstream = await opened(kafka);
    kafka.refusal = (topic) => (topic === 'doors' ? CLOSED : undefined);
    for (let attempt = 0; attempt < 5; attempt += 1) {
      expect(await offer(upstream, 0, [DOOR, ...OTHERS])).toMatchObject({ upTo: 0, error: { code: 'kafka_topic' } });
    }
    expect([...kafka.taken]).toEqual([[OWN, OTHERS.length]]);
    kafka.refusal = () => undefined;
    const more = storedRecord(6, { channel: 'devices/d/telemetry' });
    expect(await offer(upstream, 0, [DOOR, ...OTHERS, more])).toEqual({ upTo: 6, rejected: [], error: null });
    expect([...kafka.taken]).toEqual([
      [OWN, OTHERS.length + 1],
      ['doors', 1],
    ]);
  });

  it('names a reject of another topic when the closed one is open again', async () => {
    const kafka = new Faulty();
    const upstream = await opened(kafka);
    const large = storedRecord(4, { channel: 'devices/d/telemetry', value: Buffer.alloc(10_000) });
    const records = [DOOR, ...OTHERS.slice(0, 2), large];
    let isClosed = true;
    kafka.refusal = (topic, count) => {
      if (topic === 'doors') return isClosed ? CLOSED : undefined;
      return count > 2 || (kafka.taken.get(OWN) ?? 0) >= 2 ? TOO_LARGE : undefined;
    };
    expect(await offer(upstream, 0, records)).toMatchObject({ upTo: 0, rejected: [] });
    isClosed = false;
    expect(await offer(upstream, 0, records)).toMatchObject({ upTo: 4, rejected: [{ seq: 4 }], error: null });
    expect([...kafka.taken]).toEqual([
      [OWN, 2],
      ['doors', 1],
    ]);
  });

  it('is whole for a batch that is smaller than what was sent before', async () => {
    const kafka = new Faulty();
    const upstream = await opened(kafka);
    kafka.refusal = (topic) => (topic === 'doors' ? CLOSED : undefined);
    await offer(upstream, 0, [DOOR, ...OTHERS]);
    kafka.refusal = () => undefined;
    expect(await offer(upstream, 0, [DOOR, ...OTHERS.slice(0, 2)])).toEqual({ upTo: 3, rejected: [], error: null });
    expect(await offer(upstream, 3, OTHERS)).toEqual({ upTo: 5, rejected: [], error: null });
    expect(kafka.taken.get(OWN)).toBe(OTHERS.length);
  });
});
