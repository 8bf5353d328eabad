import { Buffer } from 'node:buffer';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Message } from '../../../src/core/ports.ts';
import { DeviceRates } from '../../../src/ingest/device-rates.ts';
import { Ingest } from '../../../src/ingest/ingest.ts';
import { Shares } from '../../../src/ingest/shares.ts';
import { FakeLogWriter } from '../../support/fake-log-writer.ts';

const NOW = 1_780_000_000_000;

function message(channel: string, payload: string, changes: Partial<Message> = {}): Message {
  return { source: 'mqtt', channel, payload: Buffer.from(payload), handshake: null, ...changes };
}

describe('ingest while the buffer runs full', () => {
  const FULL = { bytes: 0, capacityBytes: 1_000_000 };
  let log: FakeLogWriter;
  let refusals: string[];

  beforeEach(() => {
    log = new FakeLogWriter();
    refusals = [];
  });

  function door(options: { refuses?: boolean; ratePerS?: number } = {}): Ingest {
    const { refuses = true, ratePerS = 0 } = options;
    return new Ingest({
      log,
      routes: [],
      clock: { now: () => NOW, quality: () => 'synced', bootTime: () => undefined },
      shares: new Shares({ highWater: 0.8, windowMs: 3_600_000, keptMs: 1e9, refuses, elapsed: () => 0 }),
      rates: new DeviceRates({ ratePerS, elapsed: () => 0 }),
      onAccepted: () => undefined,
      onRefused: (_, reason) => refusals.push(reason),
    });
  }

  const of = (device: string, payload: string, changes: Partial<Message> = {}) =>
    message(`devices/${device}/telemetry`, payload, changes);

  /** Two devices have sent the same, and room is over. */
  async function filled(options: { refuses?: boolean; ratePerS?: number } = {}): Promise<Ingest> {
    const ingest = door(options);
    await ingest.accept(of('quiet', '{"value":1}'));
    await ingest.accept(of('chatty', '{"value":1}'));
    log.room = FULL;
    return ingest;
  }

  it('slows a device over its share, and counts what it sends far beyond it instead of storing it', async () => {
    const ingest = await filled();
    const kinds: unknown[] = [];
    for (let index = 0; index < 5; index += 1) {
      const acceptance = await ingest.accept(of('chatty', '{"value":1}'));
      kinds.push(acceptance.kind === 'accepted' ? (acceptance.slow?.reason ?? 'free') : acceptance);
    }
    const refused = { kind: 'refused', reason: 'share' };
    expect(kinds).toEqual(['free', 'share', 'share', refused, refused]);
    const at = { firstAt: NOW, lastAt: NOW };
    const share = { reason: 'share', stream: 'telemetry', device: 'chatty', count: 1, bytes: 11, ...at };
    expect(log.untaken).toEqual([share, share]);
    expect(refusals).toEqual(['share', 'share']);
    expect(await ingest.accept(of('quiet', '{"value":1}'))).not.toHaveProperty('slow');
  });

  it('counts each record of a batch', async () => {
    const ingest = await filled();
    await ingest.accept(of('chatty', '[{"value":1},{"value":1},{"value":1},{"value":1}]'));
    expect(log.untaken).toMatchObject([{ count: 4, bytes: 44 }]);
  });

  it('tells a sender over HTTP to wait, and counts nothing as lost', async () => {
    const ingest = await filled();
    const request = of('chatty', '[{"value":1},{"value":1}]', { source: 'http' });
    expect(await ingest.accept(request)).toMatchObject({ kind: 'postponed', device: 'chatty', reason: 'share' });
    expect(log.untaken).toEqual([]);
    expect(log.records).toHaveLength(2);
  });

  it('refuses nothing where nothing may be dropped', async () => {
    const ingest = await filled({ refuses: false });
    const batch = of('chatty', `[${Array.from({ length: 50 }, () => '{"value":1}').join()}]`);
    expect(await ingest.accept(batch)).toMatchObject({ kind: 'accepted', slow: { reason: 'share' } });
    expect(log.untaken).toEqual([]);
  });

  it('keeps what the broker needs of a message that is refused', async () => {
    const ingest = await filled();
    const keep = { place: 1, retained: true, qos: 1, at: NOW, copies: [] } as const;
    log.hold();
    void ingest.accept(of('chatty', '[{"value":1},{"value":1},{"value":1},{"value":1}]', { keep }));
    expect(log.waiting).toMatchObject([{ kind: 'untaken', keep: { topic: 'devices/chatty/telemetry' } }]);
    log.release();
  });

  it('lets a device that sends too often wait for its turn, whatever room there is', async () => {
    const ingest = door({ ratePerS: 2 });
    const waits: unknown[] = [];
    for (let index = 0; index < 4; index += 1) {
      const acceptance = await ingest.accept(of('chatty', '{"value":1}'));
      waits.push(acceptance.kind === 'accepted' && acceptance.slow);
    }
    expect(waits.slice(0, 3)).toEqual([undefined, undefined, { reason: 'rate', waitMs: 500 }]);
    expect(await ingest.accept(of('chatty', '{"value":1}', { source: 'http' }))).toMatchObject({
      kind: 'postponed',
      reason: 'rate',
    });
    expect(log.records).toHaveLength(4);
  });
});
