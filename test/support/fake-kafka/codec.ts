/** The few primitives of Kafka's protocol that a broker needs (kafka.apache.org/protocol, "Protocol Primitive Types"). */

import { Buffer } from 'node:buffer';

export function int8(value: number): Buffer {
  return Buffer.from([value & 255]);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

export function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}

/** null is a NULLABLE_STRING's null. */
export function string(value: string | null): Buffer {
  if (value === null) return int16(-1);
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.byteLength), bytes]);
}

export function array<T>(values: readonly T[], encode: (value: T) => Buffer): Buffer {
  return Buffer.concat([int32(values.length), ...values.map(encode)]);
}

/** Of flexible versions: no tagged fields (KIP-482). */
export const NO_TAGS = Buffer.from([0]);

/** UNSIGNED_VARINT, below 128. */
function short(value: number): Buffer {
  if (value > 127) throw new RangeError(`${value} is not written by tests`);
  return Buffer.from([value]);
}

/** COMPACT_NULLABLE_STRING: its length is one more than it is. */
export function compactString(value: string | null): Buffer {
  if (value === null) return short(0);
  const bytes = Buffer.from(value);
  return Buffer.concat([short(bytes.byteLength + 1), bytes]);
}

export function compactArray<T>(values: readonly T[], encode: (value: T) => Buffer): Buffer {
  return Buffer.concat([short(values.length + 1), ...values.map(encode)]);
}

/** Length and content, as everything on the wire is framed. */
export function framed(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([int32(body.byteLength), body]);
}

/** Reads them back. @throws RangeError where the bytes end too early. */
export class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  int8(): number {
    return this.#bytes.readInt8(this.#skip(1));
  }

  int16(): number {
    return this.#bytes.readInt16BE(this.#skip(2));
  }

  int32(): number {
    return this.#bytes.readInt32BE(this.#skip(4));
  }

  int64(): number {
    return Number(this.#bytes.readBigInt64BE(this.#skip(8)));
  }

  string(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.take(length).toString();
  }

  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(this.int32(), 0) }, read);
  }

  uvarint(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.#bytes.readUInt8(this.#skip(1));
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }

  compactString(): string | null {
    const length = this.uvarint() - 1;
    return length < 0 ? null : this.take(length).toString();
  }

  compactArray<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(this.uvarint() - 1, 0) }, read);
  }

  /** Fields that are not known here are skipped. */
  tags(): void {
    for (let left = this.uvarint(); left > 0; left -= 1) {
      this.uvarint();
      this.take(this.uvarint());
    }
  }

  /** Zigzag, as in records. */
  varint(): number {
    const value = this.uvarint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** null for a length of −1. */
  sized(): Buffer | null {
    const length = this.varint();
    return length < 0 ? null : this.take(length);
  }

  take(length: number): Buffer {
    const at = this.#skip(length);
    return this.#bytes.subarray(at, at + length);
  }

  #skip(length: number): number {
    const at = this.#at;
    this.#at += length;
    return at;
  }
}
