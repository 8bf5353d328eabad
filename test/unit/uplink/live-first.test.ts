import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LaneId, RangeKind } from '../../../src/core/lane-log.ts';
import type { NewReplay } from '../../../src/core/log-stats.ts';
import type { NewRecord } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import type { LinkStatus } from '../../../src/core/upstream.ts';
import { Forwarder, type ForwarderOptions } from '../../../src/uplink/forwarder.ts';
import { StatusBoard } from '../../../src/uplink/status-board.ts';
import { FakeLog } from '../../support/fake-log.ts';
import { blocking, FakeUpstream, retryable } from '../../support/fake-upstream.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { newRecord } from '../../support/records.ts';
import { STRICT } from '../../support/uplink-options.ts';
import { waitFor } from '../../support/wait-for.ts';

const NAME = 'plant';
const WAIT = { timeoutMs: 5_000, everyMs: 2 };
const EVERYTHING: NewReplay = {
  ...{ uplink: NAME, stream: 'telemetry' },
  ...{ after: 0, upTo: Number.MAX_SAFE_INTEGER, device: null, from: null, to: null },
};

describe('an uplink that sends live records first', () => {
  let log: FakeLog;
  let upstream: FakeUpstream;
  let forwarder: Forwarder;
  let status: LinkStatus | undefined;

  beforeEach(() => {
    log = new FakeLog();
    upstream = new FakeUpstream();
  });
  afterEach(() => forwarder.stop({ deadlineMs: 2_000 }));

  function make(changes: Partial<ForwarderOptions> = {}): Forwarder {
    const options: ForwarderOptions = {
      name: NAME,
      streams: ['telemetry', 'events', 'state'],
      from: 'oldest',
      batch: { maxRecords: 10, maxBytes: 1 << 20, maxWait: 0 },
      backoff: { initial: 1, max: 5 },
      sendTimeoutMs: 2_000,
      idleProbeMs: 60_000,
      ...STRICT,
      order: 'live_first',
      ...changes,
    };
    const publish = (published: LinkStatus): void => {
      status = published;
    };
    const logger = new MemoryLogger();
    const board = new StatusBoard({ logger, publish });
    forwarder = new Forwarder(options, { upstream, reader: log, laneLog: log, board, logger, gate: Promise.resolve() });
    return forwarder;
  }

  const lane = (stream: Stream = 'telemetry'): LaneId => ({ uplink: NAME, stream });
  const append = (count: number, changes: Partial<NewRecord> = {}): number[] =>
    log.append(Array.from({ length: count }, () => newRecord(changes)));
  const sentBy = (kind: RangeKind | undefined, stream: Stream = 'telemetry'): number[] =>
    upstream.sends
      .filter((sent) => sent.lane.stream === stream && sent.lane.range?.kind === kind)
      .flatMap(({ records }) => records.map(({ seq }) => seq));
  const drained = (stream: Stream = 'telemetry') =>
    waitFor(() => log.counts(lane(stream)).pendingCount === 0, { ...WAIT, what: `${stream} to be drained` });

  it('sends the backlog beside the lane, in its order, and counts it as the lane’s', async () => {
    append(10);
    await make().start();
    await drained();
    await forwarder.pause();
    const old = append(35);
    await forwarder.resume();
    await waitFor(() => sentBy('backfill').length > 0, { ...WAIT, what: 'the first batch of the backlog' });
    const fresh = append(3);
    await drained();
    expect([sentBy('backfill'), sentBy(undefined).slice(10)]).toEqual([old, fresh]);
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 48, droppedCount: 0, rejectedCount: 0 });
    await waitFor(() => upstream.finished.length > 0, { ...WAIT, what: 'the end of the backfill' });
    expect(upstream.finished).toMatchObject([{ stream: 'telemetry', range: { kind: 'backfill' } }]);
  });

  it('begins with the two batches that may be upstream already, from before a kill', async () => {
    const old = append(45);
    await make().start();
    await drained();
    expect([sentBy(undefined), sentBy('backfill')]).toEqual([old.slice(0, 20), old.slice(20)]);
  });

  it('sends again what it offered before as part of the lane, never of the backlog', async () => {
    let isDown = true;
    upstream.onSend = async (sent, after) => {
      if (isDown) return { upTo: after, rejected: [], error: retryable() };
      return upstream.take(sent.records);
    };
    await make().start();
    const offered = append(1);
    await waitFor(() => upstream.sends.length > 1, { ...WAIT, what: 'repeated attempts' });
    const missed = append(30);
    const most = (): number => Math.max(...sentBy(undefined));
    await waitFor(() => most() > (offered[0] ?? 0), { ...WAIT, what: 'an attempt with more' });
    isDown = false;
    await drained();
    const live = new Set(sentBy(undefined));
    expect(sentBy('backfill').filter((seq) => live.has(seq))).toEqual([]);
    expect([...live, ...sentBy('backfill')]).toEqual([...offered, ...missed]);
  });

  it('does not let fresh records wait for a batch of the backlog', async () => {
    append(35);
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.onSend = async (sent) => {
      if (sent.lane.range !== undefined) await promise;
      return upstream.take(sent.records);
    };
    await make().start();
    await waitFor(() => sentBy('backfill').length > 0, { ...WAIT, what: 'the backlog on its way' });
    const fresh = append(2);
    const isSent = (): boolean => upstream.taken.some(({ seq }) => seq === fresh[1]);
    await waitFor(isSent, { ...WAIT, what: 'the fresh records' });
    expect(sentBy(undefined).slice(-2)).toEqual(fresh);
    resolve();
    await drained();
  });

  it('skips a backlog of small values too, when a batch is what a slow link carries in a second', async () => {
    append(200, { value: Buffer.from('{"temperature":21.5}') });
    await make({ batch: { maxRecords: 1_000, maxBytes: 1 << 20, maxWait: 0 }, maxBytesPerSecond: 1_024 }).start();
    await waitFor(() => sentBy('backfill').length > 0, { ...WAIT, what: 'the backlog on its way' });
  });

  it('skips nothing that one batch can hold', async () => {
    const seqs = append(9);
    await make().start();
    await drained();
    expect([sentBy(undefined), sentBy('backfill')]).toEqual([seqs, []]);
  });

  it('is for telemetry, for events only when asked, and never for state', async () => {
    for (const stream of ['telemetry', 'events', 'state'] as const) append(35, { stream });
    await make().start();
    for (const stream of ['telemetry', 'events', 'state'] as const) await drained(stream);
    const skipped = (['telemetry', 'events', 'state'] as const).map((stream) => sentBy('backfill', stream).length);
    expect(skipped).toEqual([15, 0, 0]);
  });

  it('is for events too when asked', async () => {
    append(45, { stream: 'events' });
    await make({ eventsLiveFirst: true }).start();
    await drained('events');
    expect(sentBy('backfill', 'events')).toHaveLength(25);
  });

  it('keeps strict order unless asked, but finishes what was skipped before', async () => {
    const old = append(25);
    await log.open(lane(), 'oldest');
    await log.skipAhead(lane());
    const fresh = append(25);
    await make({ order: 'strict' }).start();
    await drained();
    expect([sentBy('backfill'), sentBy(undefined)]).toEqual([old, fresh]);
  });

  it('skips anew after each outage, and sends the oldest first', async () => {
    upstream.onSend = async (sent, after) => {
      if (sent.lane.range !== undefined) return { upTo: after, rejected: [], error: retryable() };
      return upstream.take(sent.records);
    };
    await make().start();
    const first = append(1);
    await drained();
    const outages: number[][] = [];
    for (const _ of [1, 2]) {
      await forwarder.pause();
      const missed = append(25);
      outages.push(missed);
      await forwarder.resume();
      const isSkipped = (): boolean => log.counts(lane()).cursor === missed.at(-1);
      await waitFor(isSkipped, { ...WAIT, what: 'what was missed to be skipped' });
      const [fresh = 0] = append(1);
      await waitFor(() => upstream.taken.some(({ seq }) => seq === fresh), { ...WAIT, what: 'a fresh record' });
    }
    upstream.onSend = async (sent) => upstream.take(sent.records);
    await drained();
    const delivered = upstream.taken.map(({ seq }) => seq);
    expect(new Set(delivered).size).toBe(delivered.length);
    expect(delivered).toHaveLength(53);
    const old = delivered.filter((seq) => outages.flat().includes(seq));
    expect([delivered[0], old]).toEqual([first[0], old.toSorted((a, b) => a - b)]);
  });

  it('settles what the upstream holds already before it skips the rest', async () => {
    append(35);
    const held = { seq: 12 };
    const knowing = Object.assign(upstream, {
      position: async ({ range }: LaneId) => (range === undefined ? held.seq : undefined),
    });
    await make().start();
    await drained();
    expect(knowing.taken.map(({ seq }) => seq).sort((a, b) => a - b)).toEqual(
      Array.from({ length: 23 }, (_, index) => index + 13),
    );
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 35, pendingCount: 0 });
  });

  it('lets the backlog of a stream that is stuck hold up no other', async () => {
    for (const stream of ['events', 'telemetry'] as const) {
      append(25, { stream });
      await log.open(lane(stream), 'oldest');
      await log.skipAhead(lane(stream));
    }
    upstream.onSend = async (sent, after) => {
      if (sent.lane.stream === 'events') return { upTo: after, rejected: [], error: blocking() };
      return upstream.take(sent.records);
    };
    await make().start();
    await drained();
    await waitFor(() => status?.reason?.startsWith('events (backfill): '), { ...WAIT, what: 'the reason' });
    expect(status?.state).toBe('blocked');
  });

  it('goes on with the rest of the backlog when a limit took a part of it', async () => {
    const old = append(30);
    await log.open(lane(), 'oldest');
    await log.skipAhead(lane());
    log.drop('telemetry', old[14] ?? 0);
    await make().start();
    await drained();
    expect(sentBy('backfill')).toEqual(old.slice(15));
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 15, droppedCount: 15 });
  });

  describe('and again what somebody wants to have again', () => {
    const delivered = async (changes: readonly Partial<NewRecord>[]): Promise<number[]> => {
      const seqs = log.append(changes.map((change) => newRecord(change)));
      await make().start();
      await drained();
      return seqs;
    };
    const done = () =>
      waitFor(async () => (await log.replays()).every(({ isDone }) => isDone), { ...WAIT, what: 'the replays' });

    it('sends it marked, and counts it for the replay alone', async () => {
      const seqs = await delivered([{}, {}, {}]);
      await log.addReplay(EVERYTHING);
      forwarder.lookForReplays();
      await done();
      expect(sentBy('replay')).toEqual(seqs);
      expect(await log.replays()).toMatchObject([{ deliveredCount: 3, isDone: true }]);
      expect(log.counts(lane())).toMatchObject({ deliveredCount: 3, pendingCount: 0 });
      await waitFor(() => upstream.finished.length > 0, { ...WAIT, what: 'the end of the replay' });
      expect(upstream.finished).toMatchObject([{ range: { kind: 'replay' } }]);
    });

    it('sends only what fits', async () => {
      const times = [10, 20, 30, 40];
      const records = times.flatMap((receivedAt) => [
        { device: 'a', receivedAt },
        { device: 'b', receivedAt },
      ]);
      const seqs = await delivered([...records, ...records, ...records]);
      await log.addReplay({ ...EVERYTHING, device: 'b', from: 20, to: 40, after: seqs[1] ?? 0 });
      forwarder.lookForReplays();
      await done();
      expect(sentBy('replay')).toEqual([3, 5, 11, 13, 19, 21].map((index) => seqs[index]));
    });

    it('lets the backlog of an outage in the midst of it go first', async () => {
      const seqs = await delivered(Array.from({ length: 50 }, () => ({})));
      const held = Promise.withResolvers<void>();
      let isDown = true;
      upstream.onSend = async (sent, after) => {
        if (isDown) return { upTo: after, rejected: [], error: retryable() };
        if (sent.lane.range?.kind === 'replay') await held.promise;
        return upstream.take(sent.records);
      };
      await log.addReplay(EVERYTHING);
      forwarder.lookForReplays();
      await waitFor(() => sentBy('replay').length > 0, { ...WAIT, what: 'the replay to begin' });
      const missed = append(35);
      const isTried = (): boolean => sentBy(undefined).some((seq) => missed.includes(seq));
      await waitFor(isTried, { ...WAIT, what: 'an attempt with what is missed' });
      isDown = false;
      const isSkipped = (): boolean => log.counts(lane()).cursor === missed.at(-1);
      await waitFor(isSkipped, { ...WAIT, what: 'what was missed to be skipped' });
      held.resolve();
      await done();
      await drained();
      const [firstAgain = 0] = [...upstream.taken.entries()].findLast(([, { seq }]) => seq === seqs[10]) ?? [];
      const [lastMissed = 0] = [...upstream.taken.entries()].findLast(([, { seq }]) => seq === missed.at(-1)) ?? [];
      expect(lastMissed).toBeLessThan(firstAgain);
      expect(status?.state).toBe('up');
    });

    it('stops soon after it is cancelled, and goes on with the next one', async () => {
      const seqs = await delivered(Array.from({ length: 50 }, () => ({})));
      const { id } = await log.addReplay(EVERYTHING);
      const after = seqs[39] ?? 0;
      await log.addReplay({ ...EVERYTHING, after });
      upstream.onSend = async (sent) => {
        if (sent.lane.range?.id === id) await log.removeReplay(id);
        await nextTurn();
        return upstream.take(sent.records);
      };
      forwarder.lookForReplays();
      await done();
      const first = upstream.sends.filter((sent) => sent.lane.range?.id === id);
      expect(first.length).toBeLessThanOrEqual(2);
      expect(await log.replays()).toMatchObject([{ deliveredCount: 10 }]);
      expect(status?.state).toBe('up');
    });
  });
});
