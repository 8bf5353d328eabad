import type { Buffer } from 'node:buffer';

const SEED = 0x9747b28c;
const MIX = 0x5bd1e995;

/** MurmurHash2, 32 bits, signed, with the seed of Kafka's Java client (org.apache.kafka.common.utils.Utils#murmur2). */
export function murmur2(key: Uint8Array): number {
  const wholeLength = key.byteLength & ~3;
  let hash = SEED ^ key.byteLength;
  for (let at = 0; at < wholeLength; at += 4) {
    let word = byte(key, at) | (byte(key, at + 1) << 8) | (byte(key, at + 2) << 16) | (byte(key, at + 3) << 24);
    word = Math.imul(word, MIX);
    word ^= word >>> 24;
    hash = Math.imul(hash, MIX) ^ Math.imul(word, MIX);
  }
  const restLength = key.byteLength - wholeLength;
  if (restLength === 3) hash ^= byte(key, wholeLength + 2) << 16;
  if (restLength >= 2) hash ^= byte(key, wholeLength + 1) << 8;
  if (restLength >= 1) hash = Math.imul(hash ^ byte(key, wholeLength), MIX);
  hash = Math.imul(hash ^ (hash >>> 13), MIX);
  return hash ^ (hash >>> 15);
}

function byte(key: Uint8Array, at: number): number {
  return key[at] ?? 0;
}

/** The partition of a key with this hash, as every Java producer chooses it. */
export function partitionOf(keyHash: number, partitionCount: number): number {
  return (keyHash & 0x7fffffff) % partitionCount;
}

/** A message whose key is hashed already: keys repeat, and hashing each anew would cost more than the rest. */
export interface HashedMessage {
  readonly key: Buffer;
  readonly value: Buffer;
  readonly keyHash: number;
  /** UTC milliseconds, as text; -1 for none. */
  readonly timestamp: string;
  readonly headers: Readonly<Record<string, Buffer | string>>;
}
