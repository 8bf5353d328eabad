import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import type { LaneId } from '../../../src/core/lane-log.ts';
import type { NewRecord } from '../../../src/core/record.ts';
import type { Stream } from '../../../src/core/stream.ts';
import type { LinkStatus, Outcome } from '../../../src/core/upstream.ts';
import { Forwarder, type ForwarderOptions } from '../../../src/uplink/forwarder.ts';
import { StatusBoard } from '../../../src/uplink/status-board.ts';
import { FakeLog } from '../../support/fake-log.ts';
import { blocking, FakeUpstream, retryable, type Sent } from '../../support/fake-upstream.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { newRecord } from '../../support/records.ts';
import { STRICT } from '../../support/uplink-options.ts';
import { waitFor } from '../../support/wait-for.ts';

const NAME = 'plant';
const WAIT = { timeoutMs: 5_000, everyMs: 2 };

describe('Forwarder', () => {
  let log: FakeLog;
  let upstream: FakeUpstream;
  let forwarder: Forwarder;
  let status: LinkStatus | undefined;

  beforeEach(() => {
    log = new FakeLog();
    upstream = new FakeUpstream();
    status = undefined;
  });
  afterEach(() => forwarder.stop({ deadlineMs: 2_000 }));

  function make(changes: Partial<ForwarderOptions> = {}, gate = Promise.resolve()): Forwarder {
    const options: ForwarderOptions = {
      name: NAME,
      streams: ['telemetry'],
      from: 'oldest',
      batch: { maxRecords: 10, maxBytes: 1 << 20, maxWait: 0 },
      backoff: { initial: 1, max: 5 },
      sendTimeoutMs: 2_000,
      idleProbeMs: 60_000,
      ...STRICT,
      ...changes,
    };
    const publish = (published: LinkStatus): void => {
      status = published;
    };
    const logger = new MemoryLogger();
    const board = new StatusBoard({ logger, publish });
    forwarder = new Forwarder(options, { upstream, reader: log, laneLog: log, board, logger, gate });
    return forwarder;
  }

  const lane = (stream: Stream = 'telemetry'): LaneId => ({ uplink: NAME, stream });
  const append = (count: number, changes: Partial<NewRecord> = {}): number[] =>
    log.append(Array.from({ length: count }, () => newRecord(changes)));
  const taken = (stream: Stream = 'telemetry'): number[] =>
    upstream.taken.filter((record) => record.stream === stream).map(({ seq }) => seq);
  const isDrained = (stream: Stream = 'telemetry'): boolean => log.counts(lane(stream)).pendingCount === 0;
  const drained = (stream: Stream = 'telemetry') =>
    waitFor(() => isDrained(stream), { ...WAIT, what: `${stream} to be drained` });
  const inState = (state: string) => waitFor(() => status?.state === state, { ...WAIT, what: `the state ${state}` });

  /** Sends wait until they are let through. */
  function holdSends(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    upstream.onSend = async (sent) => {
      await promise;
      return upstream.take(sent.records);
    };
    return resolve;
  }

  it('delivers everything in order and settles it', async () => {
    const seqs = append(35);
    await make().start();
    await drained();
    seqs.push(...append(3));
    await drained();
    expect(taken()).toEqual(seqs);
    expect(log.counts(lane())).toMatchObject({
      deliveredCount: 38,
      rejectedCount: 0,
      droppedCount: 0,
      pendingCount: 0,
    });
    await inState('up');
  });

  it('feeds all streams at once: one that is stuck holds up no other', async () => {
    upstream.onSend = async (sent) => {
      if (sent.lane.stream === 'events') return { upTo: 0, rejected: [], error: blocking() };
      return upstream.take(sent.records);
    };
    await make({ streams: ['telemetry', 'events'] }).start();
    append(25);
    append(1, { stream: 'events', eventType: 'door' });
    await drained();
    await inState('blocked');
    expect(status?.reason).toContain('events');
    expect(isDrained('events')).toBe(false);
  });

  it('sends what stands behind a reject only when that is on disk, where the upstream ends there', async () => {
    const seqs = append(25);
    const onDisk: number[] = [];
    const bad = [4, 5, 17];
    log.beforeSettle = async ({ rejected }) => {
      await nextTurn();
      onDisk.push(...rejected.map(({ seq }) => seq));
    };
    upstream.onSend = async ({ records }) => {
      expect(bad.filter((seq) => seq < (records[0]?.seq ?? 0))).toEqual(onDisk);
      const at = records.findIndex(({ seq }) => bad.includes(seq));
      if (at < 0) return upstream.take(records);
      upstream.take(records.slice(0, at));
      const seq = records[at]?.seq ?? 0;
      return { upTo: seq, rejected: [{ seq, reason: 'invalid_record', detail: '' }], error: null };
    };
    await make().start();
    await drained();
    expect(taken()).toEqual(seqs.filter((seq) => !bad.includes(seq)));
    expect(onDisk).toEqual(bad);
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 22, rejectedCount: 3, droppedCount: 0 });
    await inState('up');
  });

  it('never has two batches of a lane on their way at once', async () => {
    let inFlightCount = 0;
    let mostInFlight = 0;
    upstream.onSend = async (sent) => {
      inFlightCount += 1;
      mostInFlight = Math.max(mostInFlight, inFlightCount);
      await nextTurn();
      inFlightCount -= 1;
      return upstream.take(sent.records);
    };
    append(200);
    await make().start();
    await drained();
    expect([taken().length, mostInFlight]).toEqual([200, 1]);
  });

  it('sends the next batch while the last is being settled, but no further one', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    log.beforeSettle = () => promise;
    append(50);
    await make().start();
    await waitFor(() => upstream.sends.length === 2, { ...WAIT, what: 'the second batch' });
    await inState('up');
    expect(upstream.sends).toHaveLength(2);
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 0, pendingCount: 50 });
    resolve();
    await drained();
  });

  it('keeps what is on its way safe from limits', async () => {
    append(30);
    const letThrough = holdSends();
    await make().start();
    await waitFor(() => upstream.sends.length === 1, { ...WAIT, what: 'a batch on its way' });
    log.drop('telemetry', 30);
    expect(log.counts(lane()).droppedCount).toBe(0);
    letThrough();
    await drained();
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 30, droppedCount: 0 });
  });

  it('goes on behind what a limit dropped', async () => {
    const seqs = append(30);
    upstream.fault = retryable();
    await make().start();
    await inState('down');
    log.drop('telemetry', 12);
    upstream.fault = undefined;
    await drained();
    expect(taken()).toEqual(seqs.slice(12));
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 18, droppedCount: 12 });
  });

  it('waits again when a limit took what it was woken for', async () => {
    append(1);
    await make().start();
    await drained();
    const [seq = 0] = append(1);
    log.drop('telemetry', seq);
    let waitCount = 0;
    const wait = log.wait.bind(log);
    log.wait = (...args) => {
      waitCount += 1;
      if (waitCount > 100) throw new Error('it goes round in circles');
      return wait(...args);
    };
    for (let turn = 0; turn < 1_000; turn += 1) await nextTurn();
    expect(waitCount).toBeLessThan(10);
    append(1);
    await drained();
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 2, droppedCount: 1 });
  });

  describe('when a limit waits for its turn', () => {
    /** As the store does it then: a claim waits for what its lane has in flight. */
    beforeEach(() => {
      const claim = log.claim.bind(log);
      log.claim = async (id, upTo) => {
        await waitFor(() => !log.isInFlight(id), { ...WAIT, what: 'nothing to be in flight' });
        return claim(id, upTo);
      };
    });

    it('goes on after every batch', async () => {
      const seqs = append(50);
      await make().start();
      await drained();
      expect(taken()).toEqual(seqs);
    });

    it.each(['is not taken', 'cannot be settled'])('goes on after a batch that %s', async (what) => {
      const seqs = append(50);
      upstream.onSend = async (sent, after) => {
        await nextTurn();
        await nextTurn();
        upstream.onSend = async ({ records }) => upstream.take(records);
        return what === 'is not taken'
          ? { upTo: after, rejected: [], error: retryable() }
          : upstream.take(sent.records);
      };
      log.beforeSettle = async () => {
        log.beforeSettle = () => Promise.resolve();
        if (what === 'cannot be settled') throw new SluiceError('the store did not settle', { code: 'store_error' });
      };
      await make().start();
      await drained();
      expect([...new Set(taken())]).toEqual(seqs);
    });
  });

  it('does not count what a limit dropped between reading and claiming', async () => {
    const seqs = append(5);
    const claim = log.claim.bind(log);
    log.claim = (id, upTo) => {
      log.claim = claim;
      log.drop('telemetry', 2);
      return claim(id, upTo);
    };
    await make().start();
    await drained();
    expect(taken()).toEqual(seqs.slice(2));
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 3, droppedCount: 2, pendingCount: 0 });
  });

  it('tries for ever when the upstream cannot be reached, and says so', async () => {
    upstream.fault = retryable();
    append(3);
    await make({ streams: ['telemetry', 'events', 'state'] }).start();
    await waitFor(() => upstream.openCount > 20, { ...WAIT, what: 'many attempts' });
    expect(status).toMatchObject({ state: 'down', reason: 'nobody answers: check the network' });
    upstream.fault = undefined;
    await drained();
    expect(taken()).toEqual([1, 2, 3]);
  });

  it('makes one attempt to open for all lanes', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const open = upstream.open.bind(upstream);
    upstream.open = async () => {
      await promise;
      await open();
    };
    await make({ streams: ['telemetry', 'events', 'state', 'responses', 'gaps'] }).start();
    resolve();
    await inState('up');
    expect(upstream.openCount).toBe(1);
  });

  it('settles what was delivered of a batch and sends the rest again', async () => {
    const seqs = append(10);
    let isFirst = true;
    upstream.onSend = async (sent) => {
      if (!isFirst) return upstream.take(sent.records);
      isFirst = false;
      return { ...upstream.take(sent.records.slice(0, 4)), error: retryable() };
    };
    await make().start();
    await drained();
    expect(taken()).toEqual(seqs);
    expect(log.settlements.map(({ from, upTo }) => [from, upTo])).toEqual([
      [0, 4],
      [4, 10],
    ]);
  });

  it('is blocked by what people must mend, loses nothing, and goes on by itself once it is mended', async () => {
    append(5);
    upstream.onSend = async (_sent, after) => ({ upTo: after, rejected: [], error: blocking() });
    await make().start();
    await inState('blocked');
    expect(log.counts(lane())).toMatchObject({ pendingCount: 5, rejectedCount: 0 });
    upstream.onSend = async (sent) => upstream.take(sent.records);
    await drained();
    await inState('up');
  });

  it('sets a rejected record aside and delivers the rest', async () => {
    append(10);
    upstream.onSend = async ({ records }) => {
      upstream.take(records.filter(({ seq }) => seq !== 4));
      const rejected = [{ seq: 4, reason: 'message_too_large', detail: 'too large' }];
      return {
        upTo: records.at(-1)?.seq ?? 0,
        rejected: rejected.filter(({ seq }) => records.some((r) => r.seq === seq)),
        error: null,
      };
    };
    await make().start();
    await drained();
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 9, rejectedCount: 1, pendingCount: 0 });
    expect(log.rejected(lane())).toEqual([{ seq: 4, reason: 'message_too_large', detail: 'too large' }]);
  });

  it('does not let a fault of configuration set aside a backlog', async () => {
    append(100);
    const rejectAll = async ({ records }: Sent): Promise<Outcome> => ({
      upTo: records.at(-1)?.seq ?? 0,
      rejected: records.map(({ seq }) => ({ seq, reason: 'invalid_record', detail: 'no key' })),
      error: null,
    });
    upstream.onSend = rejectAll;
    await make().start();
    await inState('blocked');
    expect(status?.code).toBe('too_many_rejects');
    const attempts = upstream.sends.length;
    await waitFor(() => upstream.sends.length > attempts + 3, { ...WAIT, what: 'more attempts' });
    expect(log.counts(lane())).toMatchObject({ rejectedCount: 20, pendingCount: 80 });
    upstream.onSend = async (sent) => upstream.take(sent.records);
    await drained();
    expect(log.counts(lane())).toMatchObject({ rejectedCount: 20, deliveredCount: 80 });
  });

  it('sets damaged records aside and is not blocked by them', async () => {
    const seqs = append(40);
    for (const seq of seqs.slice(5, 35)) log.damage(seq);
    await make().start();
    await drained();
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 10, rejectedCount: 30, pendingCount: 0 });
    expect(log.rejected(lane())[0]).toMatchObject({ seq: seqs[5], reason: 'record_damaged' });
  });

  it('sends only the gaps that concern its uplink', async () => {
    const gap = (channel: string) => newRecord({ stream: 'gaps', channel });
    await make({ streams: ['gaps'] }).start();
    const seqs = log.append([gap('stick'), gap(NAME), gap('stick'), gap('stick')]);
    await waitFor(() => log.counts(lane('gaps')).cursor === seqs[3], { ...WAIT, what: 'the cursor to pass all gaps' });
    expect(taken('gaps')).toEqual([seqs[1]]);
    expect(log.counts(lane('gaps'))).toMatchObject({ acceptedCount: 1, deliveredCount: 1, pendingCount: 0 });
  });

  it('does not send again what the upstream holds already', async () => {
    const seqs = append(10);
    Object.assign(upstream, { position: () => Promise.resolve(7) });
    await make().start();
    await drained();
    expect(taken()).toEqual(seqs.slice(7));
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 10 });
  });

  it('asks the upstream again how far it is after every fault', async () => {
    append(10);
    let held: number | undefined;
    Object.assign(upstream, { position: () => Promise.resolve(held) });
    upstream.onSend = async ({ records }, after) => {
      upstream.onSend = async (sent) => upstream.take(sent.records);
      upstream.take(records.slice(0, 6));
      held = 6;
      return { upTo: after, rejected: [], error: retryable() };
    };
    await make().start();
    await drained();
    expect(taken()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it('begins where it stood after a settlement that failed', async () => {
    append(5);
    let failedCount = 0;
    log.beforeSettle = async () => {
      failedCount += 1;
      if (failedCount <= 2) throw new SluiceError('the disk is gone', { code: 'disk', retryable: true });
    };
    await make().start();
    await drained();
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 5, pendingCount: 0 });
  });

  it('goes on when the log cannot be read for a while', async () => {
    append(5);
    const read = log.read.bind(log);
    let failedCount = 0;
    log.read = (...args) => {
      failedCount += 1;
      if (failedCount <= 2) throw new Error('database is locked');
      return read(...args);
    };
    await make().start();
    await drained();
    expect(taken()).toHaveLength(5);
  });

  it('offers less at once when the upstream does not answer in time', async () => {
    append(10);
    upstream.onSend = async (sent, after) => {
      if (sent.records.length > 2) return { upTo: after, rejected: [], error: retryable('upstream_timeout') };
      return upstream.take(sent.records);
    };
    await make().start();
    await drained();
    expect(taken()).toHaveLength(10);
  });

  it('waits for more when a batch is not full and may wait', async () => {
    await make({ batch: { maxRecords: 1_000, maxBytes: 1 << 20, maxWait: 50 } }).start();
    await inState('up');
    append(1);
    await Promise.resolve();
    append(4);
    await drained();
    expect(upstream.sends.map(({ records }) => records.length)).toEqual([5]);
  });

  it('begins with the next record when it is told to, even if the upstream is not there yet', async () => {
    append(3);
    upstream.fault = retryable();
    await make({ from: 'now' }).start();
    const seqs = append(2);
    upstream.fault = undefined;
    await drained();
    expect(taken()).toEqual(seqs);
  });

  it('forwards nothing until the clock is right, and counts from the start all the same', async () => {
    const { promise: gate, resolve } = Promise.withResolvers<void>();
    await make({}, gate).start();
    append(3);
    await waitFor(() => status?.code === 'waiting_for_clock', { ...WAIT, what: 'the reason' });
    expect(upstream.openCount).toBe(0);
    expect(log.counts(lane())).toMatchObject({ acceptedCount: 3, pendingCount: 3 });
    resolve();
    await drained();
  });

  it('finishes what is on its way when it is paused, closes the upstream, and goes on when resumed', async () => {
    append(30);
    const letThrough = holdSends();
    await make().start();
    await waitFor(() => upstream.sends.length === 1, { ...WAIT, what: 'a batch on its way' });
    const pausing = forwarder.pause();
    letThrough();
    await pausing;
    expect(status?.state).toBe('paused');
    expect([upstream.isOpen, log.isInFlight(lane())]).toEqual([false, false]);
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 10, pendingCount: 20 });
    await forwarder.resume();
    await drained();
    expect(taken()).toHaveLength(30);
  });

  it('does not begin again while a send outlives the pause', async () => {
    append(30);
    const letThrough = holdSends();
    await make().start();
    await waitFor(() => upstream.sends.length === 1, { ...WAIT, what: 'a batch on its way' });
    await forwarder.pause({ deadlineMs: 20 });
    await forwarder.resume();
    await nextTurn();
    expect([upstream.openCount, upstream.sends.length]).toEqual([1, 1]);
    letThrough();
    await drained();
    expect(taken()).toEqual([...new Set(taken())]);
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 30, pendingCount: 0 });
  });

  it('does not let a pause that waits for a send delay its stop', { timeout: 4_000 }, async () => {
    append(30);
    const send = upstream.send.bind(upstream);
    upstream.onSend = () => new Promise<never>(() => undefined);
    upstream.send = (id, after, records, options) => {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      options.signal.addEventListener('abort', () => resolve({ upTo: after, rejected: [], error: retryable() }));
      return Promise.race([send(id, after, records, options), promise]);
    };
    await make().start();
    await waitFor(() => upstream.sends.length === 1, { ...WAIT, what: 'a batch on its way' });
    const pausing = forwarder.pause();
    await nextTurn();
    await forwarder.stop({ deadlineMs: 100 });
    await pausing;
    expect([log.isInFlight(lane()), upstream.closeCount]).toEqual([false, 1]);
  });

  it('starts paused when it was paused before', async () => {
    append(3);
    make();
    await forwarder.pause();
    await forwarder.start();
    expect(status?.state).toBe('paused');
    expect(upstream.openCount).toBe(0);
    await forwarder.resume();
    await drained();
  });

  it('can be paused while it waits for an upstream that does not come', async () => {
    upstream.fault = retryable();
    await make({ backoff: { initial: 600_000, max: 600_000 } }).start();
    await inState('down');
    await forwarder.pause();
    expect(status?.state).toBe('paused');
  });

  it('stops by its deadline with an upstream that hangs, and releases what was on its way', async () => {
    append(30);
    upstream.onSend = () => new Promise<never>(() => undefined);
    const send = upstream.send.bind(upstream);
    upstream.send = (id, after, records, options) => {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      options.signal.addEventListener('abort', () => resolve({ upTo: after, rejected: [], error: retryable() }));
      return Promise.race([send(id, after, records, options), promise]);
    };
    await make().start();
    await waitFor(() => upstream.sends.length === 1, { ...WAIT, what: 'a batch on its way' });
    await forwarder.stop({ deadlineMs: 100 });
    expect(status?.state).toBe('stopped');
    expect(log.isInFlight(lane())).toBe(false);
    expect(log.counts(lane())).toMatchObject({ deliveredCount: 0, pendingCount: 30 });
    expect(upstream.closeCount).toBe(1);
  });

  it('notices that the upstream went away and came back, without a record to send', async () => {
    await make({ idleProbeMs: 2 }).start();
    await inState('up');
    upstream.fault = retryable();
    await inState('down');
    expect(status?.reason).toContain('check the network');
    upstream.fault = undefined;
    await inState('up');
    const seqs = append(3);
    await drained();
    expect(taken()).toEqual(seqs);
  });

  it('says that an idle upstream needs people, when it does', async () => {
    await make({ idleProbeMs: 2 }).start();
    await inState('up');
    upstream.fault = blocking();
    await inState('blocked');
  });

  it('stops before it was ever started', async () => {
    await make().stop({ deadlineMs: 100 });
    expect(upstream.openCount).toBe(0);
  });
});
