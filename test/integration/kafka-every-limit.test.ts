import { randomUUID } from 'node:crypto';
import mqtt from 'mqtt';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Gap, GapReason } from '../../src/core/gap.ts';
import type { Stream } from '../../src/core/stream.ts';
import { type Entry, problemsOf } from '../support/accounts.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { type Kafka, prepareKafka } from '../support/kafka.ts';
import { seqOfEventId, topicsUnder } from '../support/uplink-options.ts';
import { waitFor } from '../support/wait-for.ts';

const VALUE = 'x'.repeat(3_000);
const STREAMS = ['telemetry', 'events', 'state'] as const;
/** Records of each stream. */
type Load = Readonly<Record<(typeof STREAMS)[number], number>>;
const LITTLE: Load = { telemetry: 40, events: 20, state: 30 };
/** Fits, and leaves more than the store keeps of a disk that is too full. */
const MUCH: Load = { telemetry: 100, events: 100, state: 650 };
/** Of `state` alone more than there is room for, so that all that goes before it is gone. */
const TOO_MUCH: Load = { telemetry: 150, events: 450, state: 1_600 };
const UPLINKS = ['plant', 'copy'] as const;
const LIMITS = ['max_bytes', 'disk_reserve', 'max_age'] as const;
/**
 * All at once, for a buffer with `MUCH` in it: it is too large, what fits is still too much for the disk, and what the
 * store keeps of such a disk is too old a second later.
 */
const ALL_LIMITS = { maxBytes: '2MiB', keepFree: '16TiB', maxAge: '1s' };
/** How `copy` comes to have backfills that take their time: a backlog of more than a batch, over a slow link. */
const LIVE_FIRST = { order: 'live_first', eventsLiveFirst: true, batch: { maxRecords: 2 } };
const SLOW = { maxBytesPerSecond: '16KiB' };
const BUFFER = { maxBytes: '4MiB', keepFree: '0B', highWater: 100 };

interface Sent extends Entry {
  readonly lane: string;
}

interface Totals {
  readonly accepted: number;
  readonly pending: number;
  readonly dropped: number;
}

interface Drop {
  readonly uplink: string;
  readonly stream: string;
  readonly reason: GapReason;
  readonly count: number;
}

interface Backfill {
  readonly stream: string;
  readonly cursor: number;
  readonly last_seq: number;
}

/**
 * Every limit in turn, and all of them together, in two uplinks of which one is paused while the other delivers, and puts
 * fresh records first; what consumers of both then find.
 */
describe('what two uplinks get when each limit takes of each stream', { timeout: 180_000 }, () => {
  let kafka: Kafka;
  let gateway: GatewayProcess;
  let topics: Record<(typeof UPLINKS)[number], Record<Stream, string>>;
  let accepted: Entry[];
  let lastSeq: number;

  beforeEach(async () => {
    kafka = await prepareKafka();
    topics = { plant: topicsUnder(randomUUID()), copy: topicsUnder(randomUUID()) };
    accepted = [];
    lastSeq = 0;
    gateway = await GatewayProcess.create();
    configure();
  });

  afterEach(async () => {
    await gateway.dispose();
    await kafka.stop();
  });

  function configure(buffer: Readonly<Record<string, unknown>> = {}, ofCopy: object = SLOW): void {
    const common = { type: 'kafka', brokers: [kafka.bootstrap], createTopics: true };
    const backoff = { initial: '100ms', max: '500ms' };
    const own = { plant: {}, copy: { ...LIVE_FIRST, ...ofCopy } };
    const uplinks = UPLINKS.map((name) => ({ ...common, ...own[name], name, topics: topics[name], backoff }));
    gateway.configure({ uplinks, buffer: { ...BUFFER, ...buffer } });
  }

  async function control(uplink: string, what: 'pause' | 'resume'): Promise<void> {
    const url = `http://127.0.0.1:${gateway.apiPort}/v1/uplinks/${uplink}/${what}`;
    const { ok } = await fetch(url, { method: 'POST', signal: AbortSignal.timeout(20_000) });
    expect(ok).toBe(true);
  }

  /** Acknowledged when it resolves; the seqs are those that the gateway shows then. */
  async function publish(load: Load): Promise<void> {
    const client = await mqtt.connectAsync(`mqtt://127.0.0.1:${gateway.mqttPort}`, { clientId: randomUUID() });
    const payload = JSON.stringify({ text: VALUE });
    const topicOf = { telemetry: 'telemetry', events: 'events/opened', state: 'state/reported' };
    for (const stream of STREAMS) {
      // Few enough that none is gone before it was seen.
      for (let left = load[stream]; left > 0; left -= 200) {
        const count = Math.min(left, 200);
        const sent = Array.from({ length: count }, (_, index) =>
          client.publishAsync(`devices/device-${index % 20}/${topicOf[stream]}`, payload, { qos: 1 }),
        );
        await Promise.all(sent);
        await note(stream, count);
      }
    }
    await client.endAsync();
  }

  async function note(stream: Stream, count: number): Promise<void> {
    const noted = accepted.length;
    // A page may be short, or empty, although there is more.
    const isNoted = async (): Promise<boolean> => {
      const path = `/v1/records?stream=${stream}&order=oldest&limit=500&after=${lastSeq}`;
      const { records } = (await gateway.get(path)) as { readonly records: readonly { seq: number; device: string }[] };
      accepted.push(...records.map(({ seq, device }) => ({ seq, device, stream })));
      lastSeq = records.at(-1)?.seq ?? lastSeq;
      return accepted.length - noted >= count;
    };
    await waitFor(isNoted, { what: `${count} new records of ${stream}`, timeoutMs: 20_000 });
    expect(accepted.length - noted).toBe(count);
  }

  async function totals(uplink: string): Promise<Totals> {
    return ((await gateway.get(`/v1/uplinks/${uplink}`)) as { readonly totals: Totals }).totals;
  }

  /** The counts may be a second old: what is pending is of those that they have seen accepted, gaps among them. */
  async function nothingPendingOf(uplink: string): Promise<boolean> {
    const counts = await totals(uplink);
    return counts.accepted >= accepted.length && counts.pending === 0;
  }

  async function dropped(): Promise<readonly Drop[]> {
    const { drops } = (await gateway.get('/v1/buffer')) as { readonly drops: readonly Drop[] };
    return drops;
  }

  async function dropsOf(reason: GapReason, uplink: string): Promise<readonly Drop[]> {
    return (await dropped()).filter((drop) => drop.reason === reason && drop.uplink === uplink);
  }

  /** Resolves when the limit has taken of each stream from `uplink`. */
  async function droppedBy(reason: GapReason, uplink: string): Promise<void> {
    const isDone = async () => {
      const mine = await dropsOf(reason, uplink);
      return STREAMS.every((stream) => mine.some((drop) => drop.stream === stream && drop.count > 0));
    };
    const what = `${reason} to take of each stream from ${uplink}`;
    await waitFor(isDone, { what, timeoutMs: 40_000 });
  }

  async function countDropped(reason: GapReason, uplink: string): Promise<number> {
    return (await dropsOf(reason, uplink)).reduce((sum, { count }) => sum + count, 0);
  }

  /** Resolves when each limit has taken more from each uplink. */
  async function droppedByAll(): Promise<void> {
    const each = LIMITS.flatMap((reason) => UPLINKS.map((uplink) => ({ reason, uplink })));
    const before = await Promise.all(each.map(({ reason, uplink }) => countDropped(reason, uplink)));
    await again(ALL_LIMITS);
    for (const [index, { reason, uplink }] of each.entries()) {
      const isDone = async () => (await countDropped(reason, uplink)) > (before[index] ?? 0);
      await waitFor(isDone, { what: `${reason} beside the others to take from ${uplink}`, timeoutMs: 40_000 });
    }
  }

  /** The streams of which records of `copy` wait beside its lanes. */
  async function backfilled(): Promise<readonly string[]> {
    const { backfills } = (await gateway.get('/v1/uplinks/copy')) as { readonly backfills: readonly Backfill[] };
    return backfills.filter((backfill) => backfill.cursor < backfill.last_seq).map(({ stream }) => stream);
  }

  /** Lets `copy` begin: what waits is more than a batch, and the link is slow. */
  async function makeBackfills(): Promise<void> {
    await control('copy', 'resume');
    const areThere = async () => new Set(await backfilled()).size === 2;
    await waitFor(areThere, { what: 'backfills of telemetry and of events', timeoutMs: 30_000 });
    await control('copy', 'pause');
  }

  /** What a limit has counted and reported must be so after a kill, too. */
  async function again(buffer: Readonly<Record<string, unknown>>, ofCopy?: object): Promise<void> {
    await gateway.stop('SIGKILL');
    configure(buffer, ofCopy);
    // Not waited for until it is ready: with a disk that is too full it is not.
    gateway.launch();
    await waitFor(dropped, { what: 'the gateway to answer', timeoutMs: 30_000 });
  }

  async function entriesOf(uplink: (typeof UPLINKS)[number], stream: Stream): Promise<Sent[]> {
    const records = await kafka.topicRecords(topics[uplink][stream]);
    return records.map(({ key, headers }) => ({
      device: key?.replace('test-gateway/', '') ?? '',
      stream,
      seq: seqOfEventId(headers['ce_id']),
      lane: headers['ce_lane'] ?? '',
    }));
  }

  it('is for each of them every record, or a gap that says which are missing', async () => {
    await kafka.start();
    await gateway.start();
    await control('copy', 'pause');
    await publish(LITTLE);
    await waitFor(() => nothingPendingOf('plant'), { what: 'plant to deliver', timeoutMs: 30_000 });
    await makeBackfills();
    await kafka.kill();
    await publish(LITTLE);
    await again({ maxAge: '1s' });
    for (const uplink of UPLINKS) await droppedBy('max_age', uplink);
    const areGone = async () => (await backfilled()).length === 0;
    await waitFor(areGone, { what: 'the limit to have taken what waits beside the lanes', timeoutMs: 20_000 });
    await again({});
    await publish(MUCH);
    await again({ keepFree: '16TiB' });
    for (const uplink of UPLINKS) await droppedBy('disk_reserve', uplink);
    // Nothing goes before all of them are there.
    await again({ maxBytes: '16MiB' });
    await publish(MUCH);
    await droppedByAll();
    await again({});
    await publish(TOO_MUCH);
    for (const uplink of UPLINKS) await droppedBy('max_bytes', uplink);
    await again({}, {});
    await kafka.start();
    await control('copy', 'resume');
    for (const uplink of UPLINKS) {
      await waitFor(() => nothingPendingOf(uplink), { what: `${uplink} to deliver`, timeoutMs: 60_000 });
      const delivered = (await Promise.all(STREAMS.map((stream) => entriesOf(uplink, stream)))).flat();
      const gaps = (await kafka.topicRecords(topics[uplink].gaps)).map(({ value }) => JSON.parse(String(value)) as Gap);
      expect(problemsOf(accepted, delivered, gaps)).toEqual([]);
      const missing = gaps.reduce((sum, { count }) => sum + count, 0);
      expect(missing).toBe((await totals(uplink)).dropped);
      expect(delivered.length + missing).toBe(accepted.length);
      expect(gaps.every((gap) => gap.uplink === uplink)).toBe(true);
      expect(delivered.some(({ lane }) => lane === 'backfill')).toBe(uplink === 'copy');
    }
    // What one has and the other had not is missing for the other alone.
    expect((await totals('copy')).dropped).toBeGreaterThan((await totals('plant')).dropped);
  });
});
