import { Buffer } from 'node:buffer';
import type { MessageToProduce } from '@platformatic/kafka';
import { type HashedMessage, partitionOf } from '../partitioner.ts';

const HEADER_NAMES_KEPT = 64;
const headerNames = new Map<string, Buffer>();

/** A message as @platformatic/kafka takes it: bytes only, and the partition chosen. */
export function toRecord(
  topic: string,
  message: HashedMessage,
  partitionCount: number,
): MessageToProduce & { readonly partition: number } {
  const { key, value, keyHash, timestamp, headers } = message;
  return {
    topic,
    partition: partitionOf(keyHash, partitionCount),
    timestamp: BigInt(timestamp),
    key,
    value,
    headers: headerBytes(headers),
  };
}

/** In the order of the names. */
function headerBytes(headers: HashedMessage['headers']): Map<Buffer, Buffer> {
  const bytes = new Map<Buffer, Buffer>();
  for (const name in headers) {
    const value = headers[name] ?? '';
    bytes.set(headerName(name), typeof value === 'string' ? Buffer.from(value) : value);
  }
  return bytes;
}

function headerName(name: string): Buffer {
  const known = headerNames.get(name);
  if (known !== undefined) return known;
  const bytes = Buffer.from(name);
  if (headerNames.size < HEADER_NAMES_KEPT) headerNames.set(name, bytes);
  return bytes;
}
