import { Buffer } from 'node:buffer';
import { crc32 } from 'node:zlib';
import type Database from 'better-sqlite3';

/** Gives a connection the SQL function `row_sum`: the CRC-32 of a JSON array of the values, then of the bytes among them. */
export function defineRowSum(db: Database.Database): void {
  db.function('row_sum', { varargs: true, deterministic: true }, (...values: unknown[]) => {
    const bytes = values.filter((value) => Buffer.isBuffer(value));
    const text = JSON.stringify(values.map((value) => (Buffer.isBuffer(value) ? { bytes: value.byteLength } : value)));
    return bytes.reduce((sum, value) => crc32(value, sum), crc32(text));
  });
}
