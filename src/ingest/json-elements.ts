const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/**
 * The elements of a JSON array as they stand in its bytes, so that each can be stored unchanged: parsing and printing
 * again would turn `1.0` into `1` and round large numbers. The bytes must be an array that JSON.parse accepts, and
 * not an empty one.
 */
export function jsonElements(bytes: Uint8Array): Uint8Array[] {
  const elements: Uint8Array[] = [];
  let depth = 0;
  let start = 0;
  for (let at = 0; at < bytes.byteLength; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === QUOTE) at = closingQuote(bytes, at);
    else if (OPENING.has(byte)) {
      depth += 1;
      if (depth === 1) start = at + 1;
    } else if (CLOSING.has(byte)) {
      depth -= 1;
      if (depth === 0) elements.push(trim(bytes.subarray(start, at)));
    } else if (byte === COMMA && depth === 1) {
      elements.push(trim(bytes.subarray(start, at)));
      start = at + 1;
    }
  }
  return elements;
}

function closingQuote(bytes: Uint8Array, opening: number): number {
  let at = opening + 1;
  while (at < bytes.byteLength && bytes[at] !== QUOTE) at += bytes[at] === BACKSLASH ? 2 : 1;
  return at;
}

/** JSON's white space: tab, line feed, carriage return, space (RFC 8259 §2). */
function trim(bytes: Uint8Array): Uint8Array {
  let start = 0;
  let end = bytes.byteLength;
  while (start < end && (bytes[start] ?? 0) <= 0x20) start += 1;
  while (end > start && (bytes[end - 1] ?? 0) <= 0x20) end -= 1;
  return bytes.subarray(start, end);
}
