import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { KafkaUplinkOptions } from '../../src/uplink/options.ts';
import { BROKEN_ANSWERS, refusing, seqOf } from '../support/fake-kafka/arrivals.ts';
import { type Answer, FakeKafka } from '../support/fake-kafka/fake-kafka.ts';
import { BLOCKING, OF_A_RECORD, PASSING } from '../support/fake-kafka/produce-codes.ts';
import type { ProducePart } from '../support/fake-kafka/produced.ts';
import { type RunningUplink, runUplink } from '../support/running-uplink.ts';
import { KAFKA_CLIENTS, kafkaOptions, topicsUnder } from '../support/uplink-options.ts';

const INVALID_TIMESTAMP = 32;
const THROTTLE_MS = 200;

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

  /** Refuses the times for which `isWrong`; returns all that it was offered. */
  function refuseTimes(isWrong: (timestamp: number) => boolean): readonly number[] {
    const offered: number[] = [];
    const when = ({ records }: ProducePart): boolean => {
      const times = records.map(({ timestamp }) => timestamp);
      offered.push(...times);
      return times.some(isWrong);
    };
    kafka.always = { kind: 'refuse', code: INVALID_TIMESTAMP, when };
    return offered;
  }

  it('sends again with the time of sending what has an observed time that the topic does not take', async () => {
    await uplink.stop();
    uplink = await runUplink(options({ timestamp: 'observed' }));
    const startedAt = Date.now();
    const observedAt = startedAt - 30 * 86_400_000;
    const offered = refuseTimes((timestamp) => timestamp < startedAt);
    const seqs = uplink.append(20, { observedAt });
    await uplink.drained();
    expectAll(seqs);
    expect(offered.slice(0, 20)).toEqual(seqs.map(() => observedAt));
    const times = kafka.records.map(({ timestamp }) => timestamp);
    expect(offered.slice(20)).toEqual(times);
    for (const time of times) expect(time).toBeGreaterThanOrEqual(startedAt);
    expect(kafka.records[0]?.headers['ce_time']).toBe(new Date(observedAt).toISOString());
  });

  it('sends again without a time what has a time of sending that the topic does not take', async () => {
    const offered = refuseTimes((timestamp) => timestamp >= 0);
    const seqs = uplink.append(20);
    await uplink.drained();
    expectAll(seqs);
    expect(Math.min(...offered.slice(0, 20))).toBeGreaterThan(0);
    expect(kafka.records.map(({ timestamp }) => timestamp)).toEqual(seqs.map(() => -1));
    expect(kafka.records.every(({ headers }) => 'ce_time' in headers)).toBe(true);
    expect(uplink.logger.lines.some(({ message }) => message.includes('compare the clocks'))).toBe(true);
    // What comes next is not offered with a time first.
    const more = uplink.append(20);
    await uplink.drained();
    expectAll([...seqs, ...more]);
    expect(offered.slice(40)).toEqual(more.map(() => -1));
  });

  it('is blocked when the topic does not even take what has no time, and says what to do', async () => {
    refuseTimes(() => true);
    const seqs = uplink.append(20);
    await uplink.reaches('blocked');
    expect(uplink.status()?.reason).toContain('compare the clocks');
    kafka.always = undefined;
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

  /** A real broker reads nothing from the connection meanwhile, whatever its client does (KIP-219). */
  it('goes on in order when it is throttled; kafkajs waits by itself', async () => {
    const askedAt: number[] = [];
    kafka.onProduce = () => askedAt.push(performance.now());
    for (let count = 0; count < 3; count += 1) kafka.script.push({ kind: 'take', throttleMs: THROTTLE_MS });
    const seqs = uplink.append(200);
    await uplink.drained();
    expectAll(seqs);
    const waits = askedAt.slice(1, 4).map((at, index) => at - (askedAt[index] ?? at));
    expect(waits).toHaveLength(3);
    if (client === 'kafkajs') expect(Math.min(...waits)).toBeGreaterThan(0.9 * THROTTLE_MS);
  });
});
