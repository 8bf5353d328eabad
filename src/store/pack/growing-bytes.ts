import { Buffer } from 'node:buffer';

const FIRST_BYTES = 64 * 1024;

/** Bytes that are written one behind the other, little-endian, in memory that grows as needed. `ByteReader` reads them. */
export class GrowingBytes {
  #buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
  #end = 0;

  get length(): number {
    return this.#end;
  }

  /**
   * What was written, in a buffer of its own that can be transferred; nothing is left. Little is copied out: at a thousand a
   * second a new buffer for each would fill the memory.
   */
  take(): { buffer: ArrayBuffer; byteLength: number } {
    const taken = { buffer: this.#takeBuffer(), byteLength: this.#end };
    this.#end = 0;
    return taken;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#end] = value;
    this.#end += 1;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#end = this.#buffer.writeUInt16LE(value, this.#end);
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#end = this.#buffer.writeUInt32LE(value, this.#end);
  }

  f64(value: number): void {
    this.#reserve(8);
    this.#end = this.#buffer.writeDoubleLE(value, this.#end);
  }

  /** Length in two bytes, UTF-8. */
  text(text: string): void {
    this.#reserve(2 + 3 * text.length);
    const bytes = this.#buffer.write(text, this.#end + 2, 'utf8');
    this.#buffer.writeUInt16LE(bytes, this.#end);
    this.#end += 2 + bytes;
  }

  /** Length in four bytes, then the bytes. */
  blob(bytes: Uint8Array): void {
    this.u32(bytes.byteLength);
    this.raw(bytes);
  }

  /** As many as the reader knows that there are. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.byteLength);
    this.#buffer.set(bytes, this.#end);
    this.#end += bytes.byteLength;
  }

  /** A blob of `maxBytes` at most, put in place by `write`, which returns where it ends. */
  written(maxBytes: number, write: (buffer: Buffer, at: number) => number): void {
    this.#reserve(4 + maxBytes);
    const begin = this.#end + 4;
    this.#end = write(this.#buffer, begin);
    this.#buffer.writeUInt32LE(this.#end - begin, begin - 4);
  }

  #takeBuffer(): ArrayBuffer {
    const buffer = this.#buffer.buffer as ArrayBuffer;
    if (buffer.byteLength === FIRST_BYTES) return buffer.slice(0, this.#end);
    this.#buffer = Buffer.allocUnsafeSlow(FIRST_BYTES);
    return buffer;
  }

  #reserve(bytes: number): void {
    if (this.#end + bytes <= this.#buffer.byteLength) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#buffer.byteLength, this.#end + bytes));
    this.#buffer.copy(larger, 0, 0, this.#end);
    this.#buffer = larger;
  }
}
