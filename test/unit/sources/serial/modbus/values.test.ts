import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { Register } from '../../../../../src/sources/serial/modbus/options.ts';
import { valuesOf } from '../../../../../src/sources/serial/modbus/values.ts';

function valueIn(hex: string, register: Partial<Register>): unknown {
  const whole: Register = {
    name: 'v',
    table: 'input',
    address: 10,
    value: 'uint16',
    wordOrder: 'big',
    intervalMs: 1,
    ...register,
  };
  return valuesOf({ table: whole.table, address: 10, count: 8, registers: [whole] }, Buffer.from(hex, 'hex')).get('v');
}

describe('a value of an answer', () => {
  it.each([
    ['fffe', { value: 'uint16' }, 65_534],
    ['fffe', { value: 'int16' }, -2],
    ['00010002', { value: 'uint32' }, 65_538],
    ['00010002', { value: 'uint32', wordOrder: 'little' }, 131_073],
    ['fffffffe', { value: 'int32' }, -2],
    ['0000000000010000', { value: 'uint64' }, 65_536],
    ['0001000000000000', { value: 'uint64', wordOrder: 'little' }, 1],
    ['fffeffffffffffff', { value: 'int64', wordOrder: 'little' }, -2],
    ['43664000', { value: 'float32' }, 230.25],
    ['4366199a', { value: 'float32' }, 230.1],
    ['40004366', { value: 'float32', wordOrder: 'little' }, 230.25],
    ['406cc80000000000', { value: 'float64' }, 230.25],
    ['aaaa0007', { address: 11 }, 7],
    ['08', { table: 'coil', address: 13 }, true],
    ['08', { table: 'coil', address: 12 }, false],
    ['0001', { table: 'discrete', address: 18 }, true],
    ['7fc00000', { value: 'float32' }, undefined],
    ['7f800000', { value: 'float32' }, undefined],
  ] as const)('%s as %j is %s', (hex, register, value) => {
    expect(valueIn(hex, register)).toBe(value);
  });
});
