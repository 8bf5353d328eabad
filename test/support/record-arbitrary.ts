import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import type { NewRecord } from '../../src/core/record.ts';
import { STREAMS } from '../../src/core/stream.ts';
import { isName } from '../../src/ingest/name.ts';

const TIME = fc.oneof(
  fc.integer({ min: 0, max: 4_102_444_800_000 }),
  fc.constantFrom(0, -1, 0.5, 8.64e15, -8.64e15, 1_700_000_000_000),
);

const ODD_NAMES = ['漢'.repeat(128), 'ü'.repeat(128), '😀'.repeat(64), 'x'.repeat(128)].filter(isName);
const NAME = fc.oneof(
  fc.constantFrom(...ODD_NAMES),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 128 }).filter(isName),
);

/** Mostly short; now and then more than the first buffer of a packed batch holds. */
export const bytes: fc.Arbitrary<Buffer> = fc
  .oneof(
    { weight: 19, arbitrary: fc.uint8Array({ maxLength: 300 }) },
    { weight: 1, arbitrary: fc.constant(new Uint8Array(70_000)) },
  )
  .map((value) => Buffer.from(value));

/** Any record that may come through the door: every length at its limits. */
export const anyRecord: fc.Arbitrary<NewRecord> = fc.record(
  {
    stream: fc.constantFrom(...STREAMS),
    device: fc.oneof(fc.stringMatching(/^[A-Za-z0-9._-]{1,128}$/), fc.constantFrom('', 'x'.repeat(128))),
    receivedAt: TIME,
    observedAt: fc.option(TIME),
    timeQuality: fc.constantFrom('synced', 'unsynced', 'corrected'),
    contentType: fc.constantFrom('application/json', 'text/plain', 'application/octet-stream'),
    eventType: fc.option(NAME),
    channel: fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'x'.repeat(65_535), '漢'.repeat(21_845))),
    value: bytes,
    bootTime: fc.record({
      bootId: fc.stringMatching(/^[0-9a-f]{32}$/),
      uptimeMs: fc.constantFrom(0, 0.5, 4_294_967_296, Number.MAX_SAFE_INTEGER),
    }),
    retryOf: fc.record({
      uplink: fc.constantFrom('plant', 'x'.repeat(64)),
      seq: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    }),
  },
  {
    requiredKeys: [
      'stream',
      'device',
      'receivedAt',
      'observedAt',
      'timeQuality',
      'contentType',
      'eventType',
      'channel',
      'value',
    ],
  },
);

export const anySeq: fc.Arbitrary<number> = fc.oneof(
  fc.integer({ min: 1, max: 1000 }),
  fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
);
