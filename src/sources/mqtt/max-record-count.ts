import type { Buffer } from 'node:buffer';

const OPENING_BRACE = 0x7b;
const LINE_FEED = 0x0a;
/** Major type 5 (RFC 8949 §3.1), in the upper three bits. */
const CBOR_MAP = 0xa0;
/** As many as one message may become. */
const MAX_RECORDS = 10_000;

/** A batch becomes at most as many records as it has objects, lines, or maps of CBOR. */
export function maxRecordCount(payload: Buffer): number {
  let count = 0;
  for (let at = 0; at < payload.length && count < MAX_RECORDS; at += 1) {
    const byte = payload[at] ?? 0;
    if (byte === OPENING_BRACE || byte === LINE_FEED || (byte & 0xe0) === CBOR_MAP) count += 1;
  }
  return Math.max(count, 1);
}
