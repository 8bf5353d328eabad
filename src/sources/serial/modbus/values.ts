import { Buffer } from 'node:buffer';
import { TABLES, VALUE_TYPES, type ValueType } from '../../../core/modbus.ts';
import { shortestFloat32 } from '../../../core/shortest-float.ts';
import type { Register } from './options.ts';
import type { Read } from './read-plan.ts';

export type Value = number | boolean;

const READ: Readonly<Record<ValueType, (bytes: Buffer) => number>> = {
  uint16: (bytes) => bytes.readUInt16BE(0),
  int16: (bytes) => bytes.readInt16BE(0),
  uint32: (bytes) => bytes.readUInt32BE(0),
  int32: (bytes) => bytes.readInt32BE(0),
  uint64: (bytes) => Number(bytes.readBigUInt64BE(0)),
  int64: (bytes) => Number(bytes.readBigInt64BE(0)),
  float32: (bytes) => shortestFloat32(bytes.readFloatBE(0)),
  float64: (bytes) => bytes.readDoubleBE(0),
};

const WRITE: Readonly<Record<ValueType, (bytes: Buffer, value: number) => void>> = {
  uint16: (bytes, value) => bytes.writeUInt16BE(value),
  int16: (bytes, value) => bytes.writeInt16BE(value),
  uint32: (bytes, value) => bytes.writeUInt32BE(value),
  int32: (bytes, value) => bytes.writeInt32BE(value),
  uint64: (bytes, value) => bytes.writeBigUInt64BE(BigInt(value)),
  int64: (bytes, value) => bytes.writeBigInt64BE(BigInt(value)),
  float32: (bytes, value) => bytes.writeFloatBE(value),
  float64: (bytes, value) => bytes.writeDoubleBE(value),
};

/** The registers of a value that its type can hold, in the order of their addresses: what `valuesOf` reads. */
export function registersOf({ value: type, wordOrder }: Pick<Register, 'value' | 'wordOrder'>, value: number): Buffer {
  const bytes = Buffer.alloc(2 * VALUE_TYPES[type]);
  WRITE[type](bytes, value);
  return wordOrder === 'big' ? bytes : reversedWords(bytes);
}

/** By name. What is no number, as meters answer that have none, is left out. `data`: of an answer to the read. */
export function valuesOf(read: Read, data: Buffer): ReadonlyMap<string, Value> {
  const values = read.registers.map((register) => {
    return [register.name, valueAt(register, register.address - read.address, data)] as const;
  });
  return new Map(values.filter(([, value]) => typeof value === 'boolean' || Number.isFinite(value)));
}

function valueAt(register: Register, offset: number, data: Buffer): Value {
  // Eight to a byte, the first one lowest.
  if (TABLES[register.table].isBits) return (((data[offset >> 3] ?? 0) >> (offset & 7)) & 1) === 1;
  const bytes = data.subarray(2 * offset, 2 * (offset + VALUE_TYPES[register.value]));
  return READ[register.value](register.wordOrder === 'big' ? bytes : reversedWords(bytes));
}

function reversedWords(bytes: Buffer): Buffer {
  // Swapping the bytes of each word keeps their order when all of them are reversed.
  return Buffer.from(bytes).swap16().reverse();
}
