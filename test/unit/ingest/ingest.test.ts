import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { SluiceError } from '../../../src/core/errors.ts';
import type { Message } from '../../../src/core/ports.ts';
import type { Observation } from '../../../src/core/views.ts';
import { Ingest } from '../../../src/ingest/ingest.ts';
import { PackWriter } from '../../../src/store/pack/pack-writer.ts';
import { FakeLogWriter } from '../../support/fake-log-writer.ts';
import { jsonText } from '../../support/json-text.ts';
import { noRestraint } from '../../support/no-restraint.ts';

const BOOT_TIME = { bootId: 'b'.repeat(32), uptimeMs: 7_000 };
const NOW = 1_780_000_000_000;

function message(channel: string, payload: string | Uint8Array, changes: Partial<Message> = {}): Message {
  return { source: 'mqtt', channel, payload: Buffer.from(payload), handshake: null, ...changes };
}

const telemetry = (payload: string, changes: Partial<Message> = {}) =>
  message('devices/d1/telemetry', payload, changes);
const local = () => message('house/lamp', 'on');
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('ingest', () => {
  let log: FakeLogWriter;
  let ingest: Ingest;
  let quality: 'synced' | 'unsynced';
  let observations: Observation[];
  let refusals: { channel: string; reason: string }[];

  beforeEach(() => {
    log = new FakeLogWriter();
    quality = 'synced';
    observations = [];
    refusals = [];
    ingest = new Ingest({
      ...noRestraint(),
      log,
      routes: [],
      clock: { now: () => NOW, quality: () => quality, bootTime: () => BOOT_TIME },
      onAccepted: (more) => observations.push(...more),
      onRefused: ({ channel }, reason) => refusals.push({ channel, reason }),
    });
  });

  const storedValues = () => log.records.map(({ value }) => Buffer.from(value).toString());

  it('makes a record of a good message', async () => {
    const accepted = await ingest.accept(telemetry('{"t":21.50,"ts":1700000000}'));
    expect(log.records).toEqual([
      {
        stream: 'telemetry',
        device: 'd1',
        receivedAt: NOW,
        observedAt: 1_700_000_000_000,
        timeQuality: 'synced',
        contentType: 'application/json',
        eventType: null,
        channel: 'devices/d1/telemetry',
        value: Buffer.from('{"t":21.50,"ts":1700000000}'),
        seq: 1,
      },
    ]);
    expect(accepted).toEqual({ kind: 'accepted', device: 'd1', firstSeq: 1, count: 1 });
  });

  it('makes records of every stream that devices feed', async () => {
    await ingest.accept(message('devices/d1/telemetry/t', '1.0'));
    await ingest.accept(message('devices/d1/events/door', 'open'));
    await ingest.accept(message('devices/d1/state/reported', '{"led":null}'));
    await ingest.accept(message('devices/d1/responses/r1', '{"status":200,"result":1}'));
    expect(log.records.map(({ stream, eventType, contentType }) => [stream, eventType, contentType])).toEqual([
      ['telemetry', null, 'application/json'],
      ['events', 'door', 'text/plain'],
      ['state', null, 'application/json'],
      ['responses', null, 'application/json'],
    ]);
    expect(storedValues()).toEqual(['{"t":1.0}', 'open', '{"led":null}', '{"status":200,"result":1}']);
  });

  it('says how far its clock could be trusted, and when it was by the boot where it could not', async () => {
    await ingest.accept(telemetry('{"t":1}'));
    quality = 'unsynced';
    await ingest.accept(telemetry('{"t":1}'));
    expect(log.records.map(({ timeQuality, bootTime }) => [timeQuality, bootTime])).toEqual([
      ['synced', undefined],
      ['unsynced', BOOT_TIME],
    ]);
  });

  it('makes one record of each element of a batch, in one entry', async () => {
    log.hold();
    const accepted = ingest.accept(telemetry('[{"t":1.0}, {"t":2},{"t":3}]'));
    expect(log.waiting).toHaveLength(1);
    log.release();
    expect(await accepted).toEqual({ kind: 'accepted', device: 'd1', firstSeq: 1, count: 3 });
    expect(storedValues()).toEqual(['{"t":1.0}', '{"t":2}', '{"t":3}']);
  });

  it('resolves nothing before the commit, and tells nobody', async () => {
    log.hold();
    const done: string[] = [];
    const all = [telemetry('{"t":1}'), telemetry('nonsense'), local()].map((each) =>
      ingest.accept(each).then(({ kind }) => done.push(kind)),
    );
    const settled = ingest.settled().then(() => done.push('settled'));
    await turn();
    await turn();
    expect({ done, observations, refusals }).toEqual({ done: [], observations: [], refusals: [] });
    log.release();
    await Promise.all([...all, settled]);
    expect(done).toEqual(['accepted', 'refused', 'local', 'settled']);
    expect([observations.length, refusals.length]).toEqual([1, 1]);
  });

  it('resolves in the order of the calls, whatever the messages become', async () => {
    const handshake = { clientId: 'c', packetId: 1 };
    const kinds = [
      telemetry('{"t":1}'),
      telemetry(''),
      local(),
      telemetry('{"t":1}', { handshake }),
      telemetry('[{"t":1}]'),
    ];
    const messages = Array.from({ length: 20 }, () => kinds).flat();
    const order: number[] = [];
    await Promise.all(messages.map((each, index) => ingest.accept(each).then(() => order.push(index))));
    expect(order).toEqual(messages.map((_, index) => index));
  });

  describe('with what the broker keeps of a message', () => {
    const keep = { place: 1, retained: true, qos: 2, at: NOW, copies: [] } as const;
    const handshake = { clientId: 'c', packetId: 1 };
    const keptBy = async (asked: Message) => {
      const accepted = ingest.accept(asked);
      const [entry] = log.waiting;
      await accepted;
      return entry !== undefined && 'keep' in entry ? entry.keep : undefined;
    };

    it('stores it with the record, and without its payload when the record is it', async () => {
      const topic = 'devices/d1/telemetry';
      expect(await keptBy(telemetry('{"t":1}', { keep }))).toEqual({ ...keep, topic, payload: null });
      expect(await keptBy(telemetry('[{"t":1}]', { keep }))).toMatchObject({ payload: Buffer.from('[{"t":1}]') });
      expect(await keptBy(telemetry('[{"t":1},{"t":2}]', { keep }))).toMatchObject({ topic });
      expect(await keptBy(message('devices/d1/telemetry/t', '1', { keep }))).toMatchObject({
        payload: Buffer.from('1'),
      });
    });

    it('stores it with a refused message, and with one that no route knows', async () => {
      expect(await keptBy(telemetry('{', { keep }))).toMatchObject({ payload: Buffer.from('{') });
      expect(await keptBy(message('house/lamp', 'on', { keep }))).toMatchObject({ topic: 'house/lamp' });
      expect(await keptBy(local())).toBeUndefined();
    });

    it('knows a repetition of each of them', async () => {
      for (const [index, asked] of [telemetry('{'), local(), telemetry('{"t":1}')].entries()) {
        const repeated = { ...asked, keep, handshake: { ...handshake, packetId: index + 1 } };
        expect((await ingest.accept(repeated)).kind).not.toBe('duplicate');
        expect((await ingest.accept(repeated)).kind).toBe('duplicate');
      }
      expect([log.records.length, log.refused.length, refusals.length]).toEqual([1, 1, 1]);
    });
  });

  it('keeps a refused message aside with its reason and its bytes', async () => {
    const payload = Buffer.from([0xff, 0x00]);
    const acceptance = await ingest.accept(message('devices/d1/telemetry/t', payload));
    expect(acceptance).toEqual({ kind: 'refused', reason: 'not_utf8' });
    const kept = { reason: 'not_utf8', channel: 'devices/d1/telemetry/t' };
    expect(log.refused).toEqual([{ ...kept, source: 'mqtt', receivedAt: NOW, payload }]);
    expect(refusals).toEqual([kept]);
    expect(log.records).toEqual([]);
  });

  it('refuses a topic that means a device and cannot be one', async () => {
    expect(await ingest.accept(message('devices/Küche/telemetry', '{"t":1}'))).toEqual({
      kind: 'refused',
      reason: 'bad_device_id',
    });
    expect(log.refused).toHaveLength(1);
  });

  it('stores nothing of what stays local', async () => {
    const messages = [
      local(),
      message('devices/d1/status', 'online'),
      message('/dev/ttyUSB0', 'x', { source: 'serial' }),
    ];
    for (const each of messages) expect(await ingest.accept(each)).toEqual({ kind: 'local' });
    expect([log.records, log.refused, observations, refusals]).toEqual([[], [], [], []]);
  });

  it('recognises a repeated QoS 2 message, and observes it once', async () => {
    const handshake = { clientId: 'c', packetId: 9 };
    const accept = () => ingest.accept(telemetry('{"t":1}', { handshake }));
    expect(await accept()).toMatchObject({ kind: 'accepted' });
    expect(await accept()).toEqual({ kind: 'duplicate', device: 'd1' });
    expect([log.records.length, observations.length]).toEqual([1, 1]);
    await ingest.release('c', 9);
    expect(await accept()).toMatchObject({ kind: 'accepted' });
    await ingest.release('c', null);
    expect(await accept()).toMatchObject({ kind: 'accepted' });
  });

  it('releases a handshake only when that is on disk', async () => {
    log.hold();
    let isReleased = false;
    const released = ingest.release('c', 9).then(() => {
      isReleased = true;
    });
    await turn();
    expect({ isReleased, waiting: log.waiting }).toEqual({
      isReleased: false,
      waiting: [{ kind: 'release', clientId: 'c', packetId: 9 }],
    });
    log.release();
    await released;
  });

  it('observes every record in the order of the log', async () => {
    await Promise.all([
      ingest.accept(telemetry('[{"t":1,"ts":1700000000},{"ok":true}]')),
      ingest.accept(message('devices/d2/events/door', '{"open":true}')),
      ingest.accept(message('devices/d3/telemetry/mode', 'eco')),
    ]);
    const time = { receivedAt: NOW, observedAt: null, units: null };
    expect(observations.map(({ metrics, ...rest }) => ({ ...rest, metrics: metrics && { ...metrics } }))).toEqual([
      { ...time, device: 'd1', seq: 1, observedAt: 1_700_000_000_000, metrics: { t: 1 } },
      { ...time, device: 'd1', seq: 2, metrics: { ok: true } },
      { ...time, device: 'd2', seq: 3, metrics: null },
      { ...time, device: 'd3', seq: 4, metrics: { mode: 'eco' } },
    ]);
  });

  it('rejects when the store is gone for good', async () => {
    const gone = new SluiceError('the store is gone', { code: 'store_gone' });
    log.hold();
    const waiting = [telemetry('{"t":1}'), telemetry('x'), local()].map((each) => ingest.accept(each));
    const results = Promise.allSettled([...waiting, ingest.settled(), ingest.release('c', 1)]);
    log.lose(gone);
    expect(await results).toEqual(Array.from({ length: 5 }, () => ({ status: 'rejected', reason: gone })));
    await expect(ingest.accept(telemetry('{"t":1}'))).rejects.toBe(gone);
    expect([observations, refusals]).toEqual([[], []]);
  });

  it('judges hostile messages, and hands the log only what it can store', async () => {
    const writer = new PackWriter();
    const append = (entry: Parameters<FakeLogWriter['append']>[0]) => {
      writer.add(entry);
      writer.take();
      return log.append(entry);
    };
    const options = {
      clock: { now: () => NOW, quality: () => quality, bootTime: () => undefined },
      onAccepted: () => 0,
      onRefused: () => 0,
    };
    const door = new Ingest({ ...options, ...noRestraint(), routes: [], log: { room: log.room, append } });
    const level = fc.oneof(
      fc.constantFrom('d1', '', 'telemetry', 'events', '漢'.repeat(128), '😀'.repeat(128), 'ü'.repeat(128)),
      fc.string({ unit: 'binary', maxLength: 200 }),
    );
    const kind = fc.constantFrom('telemetry', 'events', 'state/reported', 'responses');
    const topic = fc.oneof(
      fc
        .tuple(fc.constantFrom('d1', 'x'.repeat(128), 'ü'), kind, level)
        .map((levels) => ['devices', ...levels].join('/')),
      fc.array(level, { maxLength: 5 }).map((levels) => levels.join('/')),
    );
    const payload = fc.oneof(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      fc.oneof(jsonText, fc.string({ unit: 'binary' })).map((text) => Buffer.from(text)),
    );
    await fc.assert(
      fc.asyncProperty(topic, payload, async (channel, bytes) => {
        const { kind } = await door.accept(message(channel, bytes));
        expect(['accepted', 'refused', 'local']).toContain(kind);
      }),
      { numRuns: 500 },
    );
  });
});
