import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../src/core/errors.ts';
import type { LaneId, RangeKind } from '../../src/core/lane-log.ts';
import type { NewRecord, Seq, StoredRecord } from '../../src/core/record.ts';
import type { Outcome, Upstream } from '../../src/core/upstream.ts';
import { newRecord } from '../support/records.ts';
import { waitFor } from '../support/wait-for.ts';

/** A record as it is found upstream. */
export interface Arrived {
  readonly seq: Seq;
  readonly value: Buffer;
}

export interface UpstreamUnderTest {
  readonly upstream: Upstream;
  /** All records of the lane that are upstream, in their order there. */
  arrived(lane: LaneId): Promise<readonly Arrived[]>;
  /** Makes it unreachable. */
  breakDown(): Promise<void>;
  /** Makes it reachable again. */
  mend(): Promise<void>;
  /** Another instance of the same upstream, as after a restart of the gateway. */
  another(): Upstream;
  /** Frees everything; the upstream is closed. */
  remove(): Promise<void>;
}

/** What `make` has in common for all tests, such as a server. */
export interface UpstreamSetup {
  make(): Promise<UpstreamUnderTest>;
  end(): Promise<void>;
}

const TELEMETRY: LaneId = { uplink: 'plant', stream: 'telemetry' };
const EVENTS: LaneId = { uplink: 'plant', stream: 'events' };
const DEADLINE_MS = 10_000;
const NEVER = new AbortController().signal;

/** The promises of the port `Upstream`, for every implementation. `setUp` runs once. */
export function upstreamContract(name: string, setUp: () => Promise<UpstreamSetup>): void {
  describe(`${name} as an Upstream`, () => {
    let setup: UpstreamSetup;
    let subject: UpstreamUnderTest;

    beforeAll(async () => {
      setup = await setUp();
    });
    afterAll(() => setup.end());
    beforeEach(async () => {
      subject = await setup.make();
    });
    afterEach(async () => {
      await subject.upstream.close({ deadlineMs: 1_000 });
      await subject.remove();
    });

    const records = (first: Seq, count: number, changes: Partial<NewRecord> = {}): StoredRecord[] =>
      Array.from({ length: count }, (_, index) => ({
        ...newRecord({ value: Buffer.from(JSON.stringify({ n: first + index })), ...changes }),
        seq: first + index,
      }));

    const send = (batch: readonly StoredRecord[], lane = TELEMETRY, signal = NEVER): Promise<Outcome> =>
      subject.upstream.send(lane, (batch[0]?.seq ?? 1) - 1, batch, { deadlineMs: DEADLINE_MS, signal });

    const seqsOf = async (lane = TELEMETRY): Promise<number[]> => (await subject.arrived(lane)).map(({ seq }) => seq);

    it('delivers batches whole and in order', async () => {
      await subject.upstream.open(NEVER);
      expect(await send(records(1, 3))).toEqual({ upTo: 3, rejected: [], error: null });
      expect(await send(records(7, 2))).toEqual({ upTo: 8, rejected: [], error: null });
      expect(await seqsOf()).toEqual([1, 2, 3, 7, 8]);
    });

    it('says whether it is still there, and is mended when it is opened again', async () => {
      await subject.upstream.open(NEVER);
      await subject.upstream.probe(NEVER);
      await subject.breakDown();
      await expect(subject.upstream.probe(NEVER)).rejects.toBeInstanceOf(SluiceError);
      await subject.mend();
      await waitFor(() => subject.upstream.open(NEVER).then(() => true), {
        what: 'it to open',
        timeoutMs: DEADLINE_MS,
      });
      await subject.upstream.probe(NEVER);
      expect(await send(records(1, 2))).toEqual({ upTo: 2, rejected: [], error: null });
    });

    it('is not there before it is opened', async () => {
      await expect(subject.upstream.probe(NEVER)).rejects.toMatchObject({ code: 'not_open', retryable: true });
    });

    it('delivers values as they are', async () => {
      await subject.upstream.open(NEVER);
      const json = { value: Buffer.from('{"text":"Wärme\\n","list":[1,2]}') };
      const text = { value: Buffer.from('21.5 °C'), contentType: 'text/plain' as const };
      const bytes = {
        value: Buffer.from([0, 10, 13, 34, 92, 200, 255]),
        contentType: 'application/octet-stream' as const,
      };
      const empty = { value: Buffer.alloc(0), contentType: 'text/plain' as const };
      const batch = [json, text, bytes, empty].flatMap((changes, index) => records(index + 1, 1, changes));
      expect((await send(batch)).error).toBeNull();
      const arrived = await subject.arrived(TELEMETRY);
      expect(arrived.map(({ value }) => value)).toEqual(batch.map(({ value }) => value));
    });

    it('carries several lanes at once', async () => {
      await subject.upstream.open(NEVER);
      const outcomes = await Promise.all([
        send(records(1, 200)),
        send(records(1_001, 200, { stream: 'events' }), EVENTS),
      ]);
      expect(outcomes.map(({ upTo, error }) => [upTo, error])).toEqual([
        [200, null],
        [1_200, null],
      ]);
      expect(await seqsOf()).toEqual(records(1, 200).map(({ seq }) => seq));
      expect(await seqsOf(EVENTS)).toEqual(records(1_001, 200).map(({ seq }) => seq));
    });

    it('carries parts of a lane beside it, however their seqs stand to its own', async () => {
      await subject.upstream.open(NEVER);
      const part = (kind: RangeKind, id: number): LaneId => ({ ...TELEMETRY, range: { kind, id } });
      await send(records(50, 3));
      const outcomes = [
        await send(records(1, 3), part('backfill', 1)),
        await send(records(10, 3), part('backfill', 1)),
        await send(records(5, 3), part('replay', 2)),
        await send(records(2, 3), part('replay', 3)),
      ];
      expect(outcomes.map(({ upTo, error }) => [upTo, error])).toEqual([3, 12, 7, 4].map((upTo) => [upTo, null]));
      subject.upstream.finish(part('backfill', 1));
      subject.upstream.finish(part('replay', 2));
      await send(records(60, 1));
      await send(records(20, 2), part('backfill', 4));
      const expected = [50, 51, 52, 1, 2, 3, 10, 11, 12, 5, 6, 7, 2, 3, 4, 60, 20, 21];
      const byNumber = (a: number, b: number): number => a - b;
      expect((await seqsOf()).sort(byNumber)).toEqual(expected.sort(byNumber));
    });

    it('says of each part how far it is, when it can tell, and mixes none up', async () => {
      const backfill: LaneId = { ...TELEMETRY, range: { kind: 'backfill', id: 1 } };
      const replay: LaneId = { ...TELEMETRY, range: { kind: 'replay', id: 2 } };
      await subject.upstream.open(NEVER);
      if (subject.upstream.position === undefined) return;
      await send(records(50, 3));
      expect(await subject.upstream.position(replay)).toBeUndefined();
      await send(records(1, 3), backfill);
      await send(records(5, 3), replay);
      const restarted = subject.another();
      await subject.upstream.close({ deadlineMs: 1_000 });
      await restarted.open(NEVER);
      const positions = [];
      for (const lane of [TELEMETRY, backfill, replay]) positions.push(await restarted.position?.(lane));
      expect(positions).toEqual([52, 3, 7]);
      expect(await restarted.position?.({ ...TELEMETRY, range: { kind: 'replay', id: 3 } })).toBeUndefined();
      await restarted.close({ deadlineMs: 1_000 });
    });

    it('knows what a record takes on the wire: its value at least', async () => {
      await subject.upstream.open(NEVER);
      const [record] = records(1, 1);
      if (record === undefined) throw new Error('no record');
      expect(subject.upstream.bytesOf(TELEMETRY, record)).toBeGreaterThanOrEqual(record.value.byteLength);
    });

    it('keeps everything back while it is not open', async () => {
      const outcome = await send(records(4, 2));
      expect(outcome).toMatchObject({ upTo: 3, rejected: [] });
      expect(outcome.error).toMatchObject({ retryable: true });
    });

    it('opens at once when it is open', async () => {
      await subject.upstream.open(NEVER);
      await subject.upstream.open(NEVER);
      expect((await send(records(1, 1))).error).toBeNull();
    });

    it('fails to open with a reason while it cannot be reached', async () => {
      await subject.breakDown();
      const error = await subject.upstream.open(NEVER).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(SluiceError);
      expect(error).toMatchObject({ retryable: true });
    });

    it('loses nothing and keeps the order over a breakdown', async () => {
      await subject.upstream.open(NEVER);
      await send(records(1, 2));
      await subject.breakDown();
      const outcome = await send(records(3, 2));
      expect(outcome.rejected).toEqual([]);
      expect(outcome.error).toMatchObject({ retryable: true });
      await subject.mend();
      const again = records(3, 4).filter(({ seq }) => seq > outcome.upTo);
      await waitFor(
        async () => {
          await subject.upstream.open(NEVER);
          return (await send(again)).error === null;
        },
        { what: 'the upstream to take records again', timeoutMs: 20_000 },
      );
      const first = new Set(await seqsOf());
      expect([...first]).toEqual([1, 2, 3, 4, 5, 6]);
    });

    it('gives a batch up when told to', async () => {
      await subject.upstream.open(NEVER);
      const controller = new AbortController();
      controller.abort();
      const outcome = await send(records(1, 2), TELEMETRY, controller.signal);
      expect(outcome).toMatchObject({ upTo: 0, rejected: [] });
      expect(outcome.error).not.toBeNull();
    });

    it('closes as often as it is told to, open or not, reachable or not', async () => {
      await subject.upstream.close({ deadlineMs: 1_000 });
      await subject.upstream.open(NEVER);
      await subject.upstream.close({ deadlineMs: 1_000 });
      expect((await send(records(1, 1))).error).toMatchObject({ retryable: true });
      await subject.upstream.open(NEVER);
      await send(records(1, 1));
      await subject.breakDown();
      await subject.upstream.close({ deadlineMs: 1_000 });
      await subject.upstream.close({ deadlineMs: 1_000 });
      await subject.mend();
    });

    it('when it can tell, says after a restart how far it is', async () => {
      const lane = TELEMETRY;
      await subject.upstream.open(NEVER);
      if (subject.upstream.position === undefined) return;
      expect(await subject.upstream.position(lane)).toBeUndefined();
      await send(records(1, 5));
      expect(await subject.upstream.position(lane)).toBe(5);
      await subject.upstream.close({ deadlineMs: 1_000 });
      const restarted = subject.another();
      await restarted.open(NEVER);
      expect(await restarted.position?.(lane)).toBe(5);
      expect(await restarted.position?.(EVENTS)).toBeUndefined();
      await restarted.close({ deadlineMs: 1_000 });
    });
  });
}
