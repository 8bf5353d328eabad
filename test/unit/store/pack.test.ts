import { Buffer } from 'node:buffer';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { LogEntry } from '../../../src/core/ports.ts';
import { readRecord, sealRecord } from '../../../src/core/record-codec.ts';
import { PackWriter } from '../../../src/store/pack/pack-writer.ts';
import { type PackedEntry, unpack } from '../../../src/store/pack/unpack.ts';
import { anyRecord, bytes } from '../../support/record-arbitrary.ts';
import { entryOf, newRecord } from '../../support/records.ts';

const TEXT = fc.string({ unit: 'binary', maxLength: 60 });
const handshake = fc.record({
  clientId: fc.oneof(
    TEXT.filter((text) => text !== ''),
    fc.constant('x'.repeat(65_535)),
  ),
  packetId: fc.integer({ min: 1, max: 2 ** 31 }),
});
const idempotency = fc.record({
  device: fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/),
  key: fc.stringMatching(/^[ -~]{1,255}$/),
  fingerprint: fc.uint8Array({ minLength: 32, maxLength: 32 }).map((fingerprint) => Buffer.from(fingerprint)),
});
const refused = fc.record({
  source: fc.constantFrom('mqtt', 'serial', 'http'),
  reason: fc.constantFrom('invalid_json', 'nan', 'empty'),
  channel: fc.oneof(TEXT, fc.constant('漢'.repeat(21_845))),
  receivedAt: fc.integer(),
  payload: bytes,
});

const place = fc.nat({ max: 2 ** 50 });
const keep = fc.record({
  place,
  retained: fc.boolean(),
  qos: fc.constantFrom(0, 1, 2),
  at: fc.nat(),
  copies: fc.array(
    fc.record({
      session: place,
      packetId: fc.integer({ min: 1, max: 65_535 }),
      qos: fc.constantFrom(1, 2),
    }),
    { maxLength: 3 },
  ),
  topic: TEXT,
  payload: fc.option(bytes),
});
const change = fc.record({ kind: fc.constantFrom('released', 'removed', 'ended'), session: place, place });
const maybeKeep = fc.option(keep, { nil: undefined });

const untaken = fc.record({
  reason: fc.constantFrom('share', 'overrun'),
  stream: fc.constantFrom('telemetry', 'events', 'state', 'responses'),
  device: fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/),
  count: fc.integer({ min: 1, max: 10_000 }),
  bytes: fc.nat({ max: 2 ** 40 }),
  firstAt: fc.nat({ max: 2 ** 45 }),
  lastAt: fc.nat({ max: 2 ** 45 }),
});

const anyEntry: fc.Arbitrary<LogEntry> = fc.oneof(
  fc.record({
    kind: fc.constant('untaken' as const),
    untaken,
    handshake: fc.option(handshake),
    keep: maybeKeep,
  }),
  fc.record({
    kind: fc.constant('records' as const),
    records: fc.array(anyRecord, { maxLength: 5 }),
    handshake: fc.option(handshake),
    idempotency: fc.option(idempotency, { nil: undefined }),
    keep: maybeKeep,
  }),
  fc.record({
    kind: fc.constant('refused' as const),
    message: refused,
    handshake: fc.option(handshake),
    keep: maybeKeep,
  }),
  fc.record({ kind: fc.constant('queues' as const), changes: fc.array(change, { maxLength: 3 }) }),
  fc.record({
    kind: fc.constant('release' as const),
    clientId: TEXT.filter((text) => text !== ''),
    packetId: fc.option(fc.integer({ min: 1, max: 2 ** 31 })),
  }),
  fc.constant({ kind: 'barrier' as const }),
);

/** What was packed, with the records read again. */
function unpacked(entry: PackedEntry): LogEntry {
  if (entry.kind !== 'records') return entry;
  const records = entry.records.map(({ stream, body }) => {
    sealRecord(body, 1);
    const { seq: _, ...record } = readRecord(stream, 1, body);
    return record;
  });
  const { handshake: open, idempotency: known, keep: kept } = entry;
  return {
    kind: 'records',
    records,
    handshake: open,
    ...(known && { idempotency: known }),
    ...(kept && { keep: kept }),
  };
}

function roundTrip(writer: PackWriter, entries: readonly LogEntry[]): LogEntry[] {
  for (const entry of entries) writer.add(entry);
  const { buffer, byteLength, count } = writer.take();
  expect(count).toBe(entries.length);
  return unpack(structuredClone(buffer, { transfer: [buffer] }), byteLength).map(unpacked);
}

describe('packed log entries', () => {
  it('come out as they went in, in that order', () => {
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 10 }), (entries) => {
        expect(roundTrip(new PackWriter(), entries)).toEqual(entries);
      }),
    );
  });

  it('begin anew after each take', () => {
    const writer = new PackWriter();
    fc.assert(
      fc.property(fc.array(anyEntry, { maxLength: 5 }), (entries) => {
        expect(roundTrip(writer, entries)).toEqual(entries);
      }),
    );
  });

  it('are none when none was added', () => {
    expect(roundTrip(new PackWriter(), [])).toEqual([]);
  });

  it('grow with what is added, one small piece at a time or one large', () => {
    const small = Array.from({ length: 20_000 }, (_, index) => entryOf(newRecord({ receivedAt: index })));
    const large = [entryOf(newRecord({ value: Buffer.alloc(8 * 1024 * 1024, 7) })), ...small.slice(0, 3)];
    for (const entries of [small, large])
      expect(isDeepStrictEqual(roundTrip(new PackWriter(), entries), entries)).toBe(true);
  });

  it('hand over a buffer of their own, which the next ones do not touch', () => {
    const writer = new PackWriter();
    writer.add(entryOf(newRecord({ device: 'first' })));
    const { buffer, byteLength } = writer.take();
    writer.add(entryOf(newRecord({ device: 'second' })));
    expect(unpack(buffer, byteLength).map(unpacked)).toMatchObject([{ records: [{ device: 'first' }] }]);
    expect(buffer.byteLength).toBeLessThan(2 * 64 * 1024);
  });

  it('keep no hold of the bytes that were added', () => {
    const writer = new PackWriter();
    const value = Buffer.from('{"t":1}');
    writer.add(entryOf(newRecord({ value })));
    value.fill(0);
    const { buffer, byteLength } = writer.take();
    expect(unpack(buffer, byteLength).map(unpacked)).toMatchObject([{ records: [{ value: Buffer.from('{"t":1}') }] }]);
  });
});
