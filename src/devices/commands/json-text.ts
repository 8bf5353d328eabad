import { Buffer } from 'node:buffer';

/** Deeper than any firmware reads, and far from what would exhaust the stack of whoever writes it as JSON. */
const MAX_DEPTH = 64;

/** The value as JSON; undefined when that is longer, or nested more deeply. */
export function jsonText(value: unknown, maxBytes: number): string | undefined {
  if (!isWithinDepth(value, MAX_DEPTH)) return undefined;
  const text = JSON.stringify(value) ?? 'null';
  return Buffer.byteLength(text) > maxBytes ? undefined : text;
}

function isWithinDepth(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return depth > 0 && Object.values(value).every((inner) => isWithinDepth(inner, depth - 1));
}
