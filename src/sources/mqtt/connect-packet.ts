import { Buffer } from 'node:buffer';
import { type FrameFault, FrameGuard } from './frame-guard.ts';

/** CONNACK return codes [MQTT 3.1.1, table 3.1]. */
export const REFUSED = { version: 1, identifier: 2, unavailable: 3, credentials: 4, notAuthorized: 5 } as const;
export type RefusalCode = (typeof REFUSED)[keyof typeof REFUSED];

export function connackPacket(code: RefusalCode): Buffer {
  return Buffer.from([0x20, 2, 0, code]);
}

export type ConnectVerdict =
  | { readonly kind: 'incomplete' }
  /** The packet ends before `end`. */
  | { readonly kind: 'complete'; readonly end: number }
  | { readonly kind: 'fault'; readonly fault: FrameFault | 'not_connect' }
  | { readonly kind: 'unsupported_version'; readonly version: number };

const INCOMPLETE: ConnectVerdict = { kind: 'incomplete' };
const CONNECT = 0x10;
/** Bridges set the highest bit. */
const BRIDGE = 0x80;
const VERSIONS: ReadonlyMap<string, number> = new Map([
  ['MQTT', 4],
  ['MQIsdp', 3],
]);

/**
 * Looks at the first bytes of a connection: they must be a CONNECT [MQTT-3.1.0-1] of a version we speak, and one that
 * is not too large. Judges as soon as the bytes suffice: a parser that does not know the version would read on.
 */
export function inspectConnect(bytes: Buffer, maxPacketBytes: number): ConnectVerdict {
  if (bytes.length === 0) return INCOMPLETE;
  if (bytes[0] !== CONNECT) return { kind: 'fault', fault: 'not_connect' };
  const bodyAt = 1 + lengthBytes(bytes);
  const fault = new FrameGuard(maxPacketBytes).check(bytes.subarray(0, bodyAt));
  if (fault !== null) return { kind: 'fault', fault };
  const nameEnd = bodyAt + 2 + (bytes.length >= bodyAt + 2 ? bytes.readUInt16BE(bodyAt) : 0);
  if (bytes.length < bodyAt + 2) return INCOMPLETE;
  if (nameEnd > bodyAt + 2 + 'MQIsdp'.length) return { kind: 'fault', fault: 'not_connect' };
  if (bytes.length <= nameEnd) return INCOMPLETE;
  const expected = VERSIONS.get(bytes.toString('latin1', bodyAt + 2, nameEnd));
  if (expected === undefined) return { kind: 'fault', fault: 'not_connect' };
  const version = (bytes[nameEnd] ?? 0) & ~BRIDGE;
  if (version !== expected) return { kind: 'unsupported_version', version };
  const end = bodyAt + bodyLength(bytes, bodyAt);
  return bytes.length < end ? INCOMPLETE : { kind: 'complete', end };
}

/** Bytes of the remaining length that are there, at most four. */
function lengthBytes(bytes: Buffer): number {
  let count = 0;
  while (count < 4 && 1 + count < bytes.length) {
    count += 1;
    if ((bytes[count] ?? 0) < 128) break;
  }
  return count;
}

function bodyLength(bytes: Buffer, bodyAt: number): number {
  let length = 0;
  for (let at = bodyAt - 1; at >= 1; at -= 1) length = length * 128 + ((bytes[at] ?? 0) & 127);
  return length;
}
