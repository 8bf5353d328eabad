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
const NOT_CONNECT: ConnectVerdict = { kind: 'fault', fault: 'not_connect' };
const CONNECT = 0x10;
const MAX_LENGTH_BYTES = 4;
const MAX_NAME_BYTES = 'MQIsdp'.length;
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
  if (bytes[0] !== CONNECT) return NOT_CONNECT;
  const header = bytes.subarray(0, 1 + MAX_LENGTH_BYTES);
  const lastAt = header.findIndex((byte, at) => at > 0 && byte < 128);
  const bodyAt = lastAt === -1 ? header.length : lastAt + 1;
  const fault = new FrameGuard(maxPacketBytes).check(bytes.subarray(0, bodyAt));
  if (fault !== null) return { kind: 'fault', fault };
  return lastAt === -1 ? INCOMPLETE : inspectBody(bytes, bodyAt, bodyAt + lengthOf(header.subarray(1, bodyAt)));
}

function inspectBody(bytes: Buffer, bodyAt: number, end: number): ConnectVerdict {
  const nameAt = bodyAt + 2;
  if (end <= nameAt) return NOT_CONNECT;
  if (bytes.length < nameAt) return INCOMPLETE;
  const levelAt = nameAt + bytes.readUInt16BE(bodyAt);
  if (levelAt >= end || levelAt > nameAt + MAX_NAME_BYTES) return NOT_CONNECT;
  if (bytes.length <= levelAt) return INCOMPLETE;
  const expected = VERSIONS.get(bytes.toString('latin1', nameAt, levelAt));
  if (expected === undefined) return NOT_CONNECT;
  const version = (bytes[levelAt] ?? 0) & ~BRIDGE;
  if (version !== expected) return { kind: 'unsupported_version', version };
  return bytes.length < end ? INCOMPLETE : { kind: 'complete', end };
}

function lengthOf(digits: Uint8Array): number {
  return digits.reduceRight((length, digit) => length * 128 + (digit & 127), 0);
}
