import type { Buffer } from 'node:buffer';
import { acceptedNow } from '../../core/acceptance.ts';
import { SluiceError } from '../../core/errors.ts';
import type { Seq } from '../../core/record.ts';
import { encodeRecord, isIntact, readRecord } from '../../core/record-codec.ts';
import type { Stream } from '../../core/stream.ts';
import type { StoreClock } from '../store-clock.ts';
import type { Corrections } from './corrections.ts';

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
export function retriedBody(
  { uplink, stream, seq, body }: StoredReject,
  { clock, corrections }: { readonly clock: StoreClock; readonly corrections: Corrections },
): Buffer {
  if (!isIntact(body, seq)) {
    throw new SluiceError(`the checksum of the rejected record ${seq} does not hold`, { code: 'record_damaged' });
  }
  const old = corrections.apply(readRecord(stream, seq, body));
  const knownAt = old.timeQuality === 'unsynced' ? null : old.receivedAt;
  return encodeRecord(
    {
      ...old,
      ...acceptedNow(clock),
      observedAt: old.observedAt ?? knownAt,
      retryOf: { uplink, seq },
    },
    0,
  );
}
