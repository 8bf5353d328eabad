import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ValueType } from '../../../../../src/core/modbus.ts';
import { shortestFloat32 } from '../../../../../src/core/shortest-float.ts';
import type { Register, WriteRule } from '../../../../../src/sources/serial/modbus/options.ts';
import { CHECKSUM, writeRequest } from '../../../../../src/sources/serial/modbus/request.ts';
import type { Unit } from '../../../../../src/sources/serial/modbus/unit.ts';
import { valuesOf } from '../../../../../src/sources/serial/modbus/values.ts';
import { planWrite } from '../../../../../src/sources/serial/modbus/write-plan.ts';
import { writtenBytes, writtenValue } from '../../../../../src/sources/serial/modbus/written-value.ts';

const RULE: WriteRule = { scale: 1, offset: 0 };

function register(name: string, address: number, more: Partial<Register> = {}): Register {
  const common = { table: 'holding', value: 'uint16', wordOrder: 'big', intervalMs: 1_000, write: RULE } as const;
  return { name, address, ...common, ...more };
}

function unitOf(registers: readonly Register[], { device = 'drive', unitId = 1, maxRegisters = 125 } = {}): Unit {
  return {
    device,
    unitId,
    options: { unitId, registers, maxGap: 0, maxRegisters, writeMultiple: false },
  } as unknown as Unit;
}

function commandOf(params: unknown, name = 'write') {
  return { requestId: 'r', device: 'drive', name, params, timeoutMs: 1_000, deadline: 0 };
}

/** As `holding 5+1 002a`: the table, from where, how many, what. */
function planned(registers: readonly Register[], params: unknown, limits: { maxRegisters?: number } = {}): string[] {
  const plan = planWrite([unitOf(registers, limits)], commandOf(params));
  if ('refusal' in plan) return [`${plan.refusal.status} ${plan.refusal.error}`];
  return plan.order.writes.map(
    ({ span }) => `${span.table} ${span.address}+${span.count} ${span.data.toString('hex')}`,
  );
}

const SETPOINT = register('setpoint', 5, { value: 'int16', write: { scale: 0.1, offset: 0, min: -20, max: 80 } });

describe('a command to a Modbus unit', () => {
  it('writes what it names, neighbours by one request, and nothing between them', () => {
    const registers = [
      register('mode', 7),
      SETPOINT,
      register('total', 8, { value: 'uint32', wordOrder: 'little' }),
      register('far', 12),
      register('a', 3, { table: 'coil' }),
      register('b', 4, { table: 'coil' }),
      register('c', 6, { table: 'coil' }),
    ];
    expect(planned(registers, { setpoint: 21.5 })).toEqual(['holding 5+1 00d7']);
    expect(planned(registers, { far: 1, total: 0x10002, mode: 2, setpoint: -0.1 })).toEqual([
      'holding 5+1 ffff',
      'holding 7+3 000200020001',
      'holding 12+1 0001',
    ]);
    expect(planned(registers, { c: true, b: true, a: false })).toEqual(['coil 3+2 02', 'coil 6+1 01']);
  });

  it('is cut where the unit takes no more at once', () => {
    const registers = Array.from({ length: 6 }, (_, index) => register(`r${index}`, index));
    const params = Object.fromEntries(registers.map(({ name }) => [name, 1]));
    expect(planned(registers, params, { maxRegisters: 4 })).toEqual([
      'holding 0+4 0001000100010001',
      'holding 4+2 00010001',
    ]);
  });

  it('goes to that of several units of one device which has the registers', () => {
    const units = [unitOf([register('a', 1)]), unitOf([register('b', 2)], { unitId: 2 })];
    const plan = planWrite(units, commandOf({ b: 1 }));
    expect('order' in plan && plan.order.unit.unitId).toBe(2);
    expect(planWrite(units, commandOf({ a: 1, b: 1 }))).toMatchObject({
      refusal: { status: 400, error: expect.stringContaining('not all of one unit') },
    });
  });

  it.each<[unknown, string]>([
    [{ setpoint: 80.1 }, '400 setpoint must be from -20 to 80'],
    [{ setpoint: -20.1 }, '400 setpoint must be from -20 to 80'],
    [{ setpoint: 21.57 }, '400 setpoint goes in steps of 0.1: 21.5 or 21.6'],
    [{ setpoint: '21' }, '400 setpoint must be a number'],
    [{ mode: -1 }, '400 mode must be from 0 to 65535'],
    [{ mode: true }, '400 mode must be a number'],
    [{ relay: 1 }, '400 relay must be true or false'],
    [{ single: 1e39 }, '400 single must be a number that its type holds'],
    [{ speed: 1 }, '400 speed is no register that may be written; these are: setpoint, mode, relay, single'],
    [{ shown: 1 }, '400 shown is no register that may be written'],
    [{ __proto__: null, toString: 1 }, '400 toString is no register that may be written'],
    [{}, '400 params must be an object of registers and values; the registers are setpoint, mode, relay, single'],
    [null, '400 params must be an object'],
    [[1], '400 params must be an object'],
  ])('of %j is answered with what it may be: %s', (params, problem) => {
    const registers = [
      SETPOINT,
      register('mode', 7),
      register('relay', 1, { table: 'coil' }),
      register('single', 20, { value: 'float32' }),
      register('shown', 30, { write: undefined }),
    ];
    expect(planned(registers, params)).toEqual([expect.stringContaining(problem)]);
  });

  it('has one name, and says which', () => {
    expect(planWrite([unitOf([SETPOINT])], commandOf({ setpoint: 1 }, 'set'))).toEqual({
      refusal: {
        status: 404,
        error: 'a Modbus unit has no command set; it has write, of these registers: setpoint',
        isUnsent: true,
      },
    });
  });
});

describe('what is written to a register', () => {
  const raw: Readonly<Record<ValueType, fc.Arbitrary<number>>> = {
    uint16: fc.integer({ min: 0, max: 65_535 }),
    int16: fc.integer({ min: -32_768, max: 32_767 }),
    uint32: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    int32: fc.integer(),
    uint64: fc.maxSafeNat(),
    int64: fc.maxSafeInteger(),
    float32: fc.float({ noNaN: true, noDefaultInfinity: true }).map(shortestFloat32),
    float64: fc.double({ noNaN: true, noDefaultInfinity: true }),
  };
  const read = (of: Register, bytes: Buffer): unknown =>
    valuesOf({ table: of.table, address: of.address, count: bytes.length / 2, registers: [of] }, bytes).get(of.name);

  it('is what is read from it, in every type and order', () => {
    const types = fc.constantFrom(...(Object.keys(raw) as ValueType[]));
    fc.assert(
      fc.property(
        types.chain((value) => fc.tuple(fc.constant(value), raw[value])),
        fc.constantFrom('big' as const, 'little' as const),
        ([value, number], wordOrder) => {
          const one = register('v', 9, { value, wordOrder });
          expect(read(one, writtenBytes(one, number))).toBe(number);
        },
      ),
    );
  });

  it('is told with the digits that a float of four bytes is read with', () => {
    const one = register('v', 9, { value: 'float32' });
    expect(writtenValue(one, 230.1)).toBe(230.1);
    expect(read(one, writtenBytes(one, 230.1))).toBe(230.1);
  });

  it('is with a scale what the same value is read as', () => {
    const scales = fc.constantFrom(0.1, 0.01, 0.001, 0.5, 10, -0.1, 1 / 3);
    fc.assert(
      fc.property(raw.int32, scales, fc.constantFrom(0, -40, 273.15), (number, scale, offset) => {
        const one = register('v', 9, { value: 'int32', write: { scale, offset } });
        // As records have it.
        const shown = Number((number * scale + offset).toPrecision(12));
        expect(read(one, writtenBytes(one, shown))).toBe(number);
        expect(writtenValue(one, shown)).toBe(shown);
      }),
    );
  });
});

describe('a request that writes', () => {
  const hex = (bytes: Buffer): string => bytes.subarray(0, -2).toString('hex');

  it.each([
    [
      'one coil',
      { table: 'coil', address: 172, count: 1, data: Buffer.from([1]) },
      true,
      '010500acff00',
      '010500acff00',
    ],
    [
      'one coil off',
      { table: 'coil', address: 172, count: 1, data: Buffer.from([0]) },
      true,
      '010500ac0000',
      '010500ac0000',
    ],
    [
      'one register',
      { table: 'holding', address: 1, count: 1, data: Buffer.from('0003', 'hex') },
      true,
      '010600010003',
      '010600010003',
    ],
    [
      'coils',
      { table: 'coil', address: 19, count: 10, data: Buffer.from('cd01', 'hex') },
      false,
      '010f0013000a02cd01',
      '010f0013000a',
    ],
    [
      'registers',
      { table: 'holding', address: 1, count: 2, data: Buffer.from('000a0102', 'hex') },
      false,
      '01100001000204000a0102',
      '011000010002',
    ],
  ] as const)('of %s is as the protocol has it', (_, span, isSingle, asked, head) => {
    const request = writeRequest(1, span, isSingle);
    expect(hex(request.bytes)).toBe(asked);
    expect(CHECKSUM.strip(request.bytes)).toBeDefined();
    expect(request.head.toString('hex')).toBe(head);
    expect(request.answerLength).toBe(8);
  });
});
