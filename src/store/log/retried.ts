import type { Buffer } from 'node:buffer';
import { SluiceError } from '../../core/errors.ts';
import type { Seq } from '../../core/record.ts';
import { encodeRecord, isIntact, readRecord } from '../../core/record-codec.ts';
import type { Stream } from '../../core/stream.ts';
import type { StoreClock } from '../store-clock.ts';

/** A reject as it is kept. */
export interface StoredReject {
  readonly uplink: string;
  readonly stream: Stream;
  readonly seq: Seq;
  readonly body: Buffer;
}

/**
 * The body of the new record that a reject becomes when it is tried again: accepted now, observed when it was, for the
 * uplink that rejected it alone, and naming the old one.
 * @throws SluiceError `record_damaged`
 */
export function retriedBody({ uplink, stream, seq, body }: StoredReject, clock: StoreClock): Buffer {
  if (!isIntact(body, seq)) {
    throw new SluiceError(`the checksum of the rejected record ${seq} does not hold`, { code: 'record_damaged' });
  }
  const old = readRecord(stream, seq, body);
  const knownAt = old.timeQuality === 'unsynced' ? null : old.receivedAt;
  return encodeRecord(
    {
      ...old,
      receivedAt: clock.now(),
      observedAt: old.observedAt ?? knownAt,
      timeQuality: clock.quality(),
      retryOf: { uplink, seq },
    },
    0,
  );
}
