import { Buffer } from 'node:buffer';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Appended, LogEntry, LogWriter } from '../../src/core/ports.ts';
import type { NewRecord, RefusedMessage, StoredRecord } from '../../src/core/record.ts';
import type { Stream } from '../../src/core/stream.ts';
import { entryOf, newRecord } from '../support/records.ts';

export interface LogWriterUnderTest {
  readonly log: LogWriter;
  /** All records of the stream, as a reader finds them. */
  records(stream: Stream): Promise<readonly StoredRecord[]>;
  refusedCount(): Promise<number>;
  /** Records of telemetry that were refused for a share. */
  overShareCount(): Promise<number>;
  /** Closes the log and opens what it left behind, as a restart does; this object then means the new one. */
  reopen(): Promise<void>;
  close(): Promise<void>;
}

const HANDSHAKE = { clientId: 'client', packetId: 7 };
const BARRIER: LogEntry = { kind: 'barrier' };
/** Of a message that is not taken. */
const OVER_SHARE = {
  kind: 'untaken',
  untaken: { reason: 'share', stream: 'telemetry', device: 'd1', count: 3, bytes: 60, firstAt: 5, lastAt: 5 },
  handshake: HANDSHAKE,
} as const;

function refused(changes: Partial<RefusedMessage> = {}): LogEntry {
  const message: RefusedMessage = {
    source: 'mqtt',
    reason: 'invalid_json',
    channel: 'devices/d1/telemetry',
    receivedAt: 1,
    payload: Buffer.from('{'),
    ...changes,
  };
  return { kind: 'refused', message };
}

function publish(
  packetId = HANDSHAKE.packetId,
  clientId = HANDSHAKE.clientId,
  record: NewRecord = newRecord(),
): LogEntry {
  return { kind: 'records', records: [record], handshake: { clientId, packetId } };
}

function release(packetId: number | null, clientId = HANDSHAKE.clientId): LogEntry {
  return { kind: 'release', clientId, packetId };
}

function keyed(key: string, { device = 'device-1', body = 1 } = {}): LogEntry {
  const idempotency = { device, key, fingerprint: new Uint8Array(32).fill(body) };
  return { kind: 'records', records: [newRecord({ device }), newRecord({ device })], handshake: null, idempotency };
}

/** The promises of the port `LogWriter`, for every implementation. `make` gives an empty log. */
export function logWriterContract(name: string, make: () => Promise<LogWriterUnderTest>): void {
  describe(`${name} as a LogWriter`, () => {
    let subject: LogWriterUnderTest;

    beforeEach(async () => {
      subject = await make();
    });

    afterEach(() => subject.close());

    const append = (entry: LogEntry): Promise<Appended> => subject.log.append(entry);
    const devices = async (stream: Stream = 'telemetry') => (await subject.records(stream)).map(({ device }) => device);

    it('counts what is refused for its share, once for each QoS 2 message, and makes no record of it', async () => {
      expect(await append(OVER_SHARE)).toEqual({ firstSeq: 0, duplicate: false });
      expect(await append(OVER_SHARE)).toEqual({ firstSeq: 0, duplicate: true });
      await append({ ...OVER_SHARE, handshake: null });
      expect(await subject.overShareCount()).toBe(6);
      await subject.reopen();
      expect(await subject.overShareCount()).toBe(6);
      expect(await subject.records('telemetry')).toEqual([]);
    });

    it('has stored what it resolved, as it was, also after a restart', async () => {
      const record = newRecord({ observedAt: 5, timeQuality: 'unsynced', value: Buffer.from([0, 255, 1]) });
      const { firstSeq, duplicate } = await append(entryOf(record));
      expect({ isSeq: firstSeq > 0, duplicate }).toEqual({ isSeq: true, duplicate: false });
      expect(await subject.records('telemetry')).toEqual([{ ...record, seq: firstSeq }]);
      await subject.reopen();
      expect(await subject.records('telemetry')).toEqual([{ ...record, seq: firstSeq }]);
    });

    it('numbers the records of an entry one after the other, over all streams', async () => {
      const streams = ['telemetry', 'events', 'state', 'responses', 'telemetry'] as const;
      const { firstSeq } = await append(entryOf(...streams.map((stream) => newRecord({ stream }))));
      const seqs = async (stream: Stream) => (await subject.records(stream)).map(({ seq }) => seq - firstSeq);
      expect(await seqs('telemetry')).toEqual([0, 4]);
      expect(await Promise.all((['events', 'state', 'responses', 'gaps'] as const).map(seqs))).toEqual([
        [1],
        [2],
        [3],
        [],
      ]);
    });

    it('gives later entries greater seqs, over restarts too', async () => {
      const first = await append(entryOf(newRecord(), newRecord(), newRecord()));
      const second = await append(entryOf(newRecord({ stream: 'events' })));
      expect(second.firstSeq).toBeGreaterThan(first.firstSeq + 2);
      await subject.reopen();
      expect((await append(entryOf(newRecord()))).firstSeq).toBeGreaterThan(second.firstSeq);
    });

    it('stores in the order of the calls, without waiting in between', async () => {
      const names = Array.from({ length: 300 }, (_, index) => `d${index}`);
      const answers = await Promise.all(names.map((device) => append(entryOf(newRecord({ device })))));
      expect(await devices()).toEqual(names);
      const seqs = answers.map(({ firstSeq }) => firstSeq);
      expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
      expect((await subject.records('telemetry')).map(({ seq }) => seq)).toEqual(seqs);
    });

    it('resolves in the order of the calls, whatever the kinds', async () => {
      const kinds = [entryOf(newRecord()), refused(), BARRIER, publish(), publish(), release(7), BARRIER, refused()];
      const entries = Array.from({ length: 10 }, () => kinds).flat();
      const order: number[] = [];
      await Promise.all(entries.map((entry, index) => append(entry).then(() => order.push(index))));
      expect(order).toEqual(entries.map((_, index) => index));
    });

    it('resolves a barrier when all that was before it is stored, and stores nothing for it', async () => {
      const before = Array.from({ length: 50 }, () => append(entryOf(newRecord())));
      expect(await append(BARRIER)).toEqual({ firstSeq: 0, duplicate: false });
      expect(await devices()).toHaveLength(50);
      await Promise.all(before);
    });

    it('keeps refused messages aside: counted, and never a record', async () => {
      const entries = [refused(), refused({ source: 'serial', payload: Buffer.alloc(0) }), refused({ channel: '' })];
      const answers = await Promise.all(entries.map(append));
      expect(answers).toEqual(answers.map(() => ({ firstSeq: 0, duplicate: false })));
      await subject.reopen();
      expect(await subject.refusedCount()).toBe(3);
      expect(await devices()).toEqual([]);
    });

    it('stores nothing for an entry of no records', async () => {
      expect(await append(entryOf())).toEqual({ firstSeq: 0, duplicate: false });
      expect(await devices()).toEqual([]);
    });

    it('takes records as large as a packet', async () => {
      const record = newRecord({ value: Buffer.alloc(256 * 1024, 'x'), channel: '漢'.repeat(21_845) });
      const { firstSeq } = await append(entryOf(record, record));
      expect(await subject.records('telemetry')).toEqual([firstSeq, firstSeq + 1].map((seq) => ({ ...record, seq })));
    });

    describe('with a repeated QoS 2 PUBLISH', () => {
      it('stores nothing of it, and says so', async () => {
        await append(publish());
        const repeat = newRecord({ device: 'repeat' });
        const entry: LogEntry = { kind: 'records', records: [repeat, repeat], handshake: HANDSHAKE };
        expect(await append(entry)).toEqual({ firstSeq: 0, duplicate: true });
        expect(await devices()).toEqual(['device-1']);
      });

      it('recognises it in the same commit', async () => {
        const answers = await Promise.all([publish(), publish(), publish()].map(append));
        expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
        expect(await devices()).toHaveLength(1);
      });

      it('recognises it after a restart', async () => {
        await append(publish());
        await subject.reopen();
        expect(await append(publish())).toEqual({ firstSeq: 0, duplicate: true });
      });

      it('knows client and packet id apart', async () => {
        const entries = [publish(1, 'a'), publish(2, 'a'), publish(1, 'b'), publish(11, 'a'), publish(1, '1a')];
        const answers = await Promise.all(entries.map(append));
        expect(answers.some(({ duplicate }) => duplicate)).toBe(false);
        expect(await devices()).toHaveLength(5);
      });

      it('has forgotten it once it was released, also after a restart', async () => {
        await Promise.all([publish(1), publish(2), publish(1, 'other')].map(append));
        expect(await append(release(1))).toEqual({ firstSeq: 0, duplicate: false });
        await subject.reopen();
        const answers = await Promise.all([publish(1), publish(2), publish(1, 'other')].map(append));
        expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, true, true]);
      });

      it('forgets all of one client when it is told so, and nothing of another', async () => {
        const publishes = () => Promise.all([publish(1), publish(65_535), publish(1, 'other')].map(append));
        await publishes();
        await append(release(null));
        expect((await publishes()).map(({ duplicate }) => duplicate)).toEqual([false, false, true]);
      });

      it('keeps releases in their place in the order', async () => {
        const answers = await Promise.all(
          [publish(), release(7), publish(), publish(), release(7), publish()].map(append),
        );
        expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, false, false, true, false, false]);
        expect(await devices()).toHaveLength(3);
      });

      it('releases what was never open without complaint', async () => {
        expect(await append(release(9))).toEqual({ firstSeq: 0, duplicate: false });
        expect(await append(release(null, 'nobody'))).toEqual({ firstSeq: 0, duplicate: false });
      });
    });

    describe('with an idempotency key', () => {
      it('stores a repeated request once, and says where', async () => {
        const first = await append(keyed('a'));
        await append(entryOf(newRecord({ device: 'between' })));
        expect(first.duplicate).toBe(false);
        expect(await append(keyed('a'))).toEqual({ firstSeq: first.firstSeq, duplicate: true });
        expect(await devices()).toEqual(['device-1', 'device-1', 'between']);
      });

      it('recognises it in the same commit', async () => {
        const answers = await Promise.all([keyed('a'), keyed('b'), keyed('a'), keyed('a')].map(append));
        expect(answers.map(({ duplicate }) => duplicate)).toEqual([false, false, true, true]);
        expect(new Set(answers.map(({ firstSeq }) => firstSeq)).size).toBe(2);
        expect(await devices()).toHaveLength(4);
      });

      it('recognises it after a restart', async () => {
        const { firstSeq } = await append(keyed('a'));
        await subject.reopen();
        expect(await append(keyed('a'))).toEqual({ firstSeq, duplicate: true });
      });

      it('stores nothing of another request under the same key', async () => {
        const { firstSeq } = await append(keyed('a'));
        expect(await append(keyed('a', { body: 2 }))).toEqual({ firstSeq: 0, duplicate: false, keyReused: true });
        expect(await append(keyed('a'))).toEqual({ firstSeq, duplicate: true });
        expect(await devices()).toHaveLength(2);
      });

      it('knows devices and keys apart', async () => {
        const entries = [keyed('a'), keyed('b'), keyed('a', { device: 'device-2' }), keyed('A')];
        const answers = await Promise.all(entries.map(append));
        expect(answers.every(({ duplicate, keyReused }) => !duplicate && !keyReused)).toBe(true);
      });
    });
  });
}
