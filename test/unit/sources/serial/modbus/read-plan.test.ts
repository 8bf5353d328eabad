import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TABLES, type Table, type ValueType } from '../../../../../src/core/modbus.ts';
import type { Register, UnitOptions } from '../../../../../src/sources/serial/modbus/options.ts';
import { groupsOf, widthOf } from '../../../../../src/sources/serial/modbus/read-plan.ts';

function register(table: Table, address: number, more: Partial<Register> = {}): Register {
  const common = { value: 'uint16', wordOrder: 'big', intervalMs: 1_000 } as const;
  return { name: `${table}${address}`, table, address, ...common, ...more };
}

/** As `input 0+4`: the table, from where, how many. */
function planned(registers: readonly Register[], limits: Partial<UnitOptions> = {}): string[][] {
  return groupsOf({ maxGap: 0, maxRegisters: 125, ...limits, registers }).map(({ reads }) =>
    reads.map(({ table, address, count }) => `${table} ${address}+${count}`),
  );
}

describe('the plan of what is read', () => {
  it('takes neighbours together, in any order, and no others', () => {
    const float = register('input', 2, { value: 'float32' });
    expect(planned([float, register('input', 0), register('input', 1), register('input', 5)])).toEqual([
      ['input 0+4', 'input 5+1'],
    ]);
    expect(
      planned([register('input', 0), register('holding', 1), register('coil', 2), register('discrete', 3)]),
    ).toEqual([['input 0+1', 'holding 1+1', 'coil 2+1', 'discrete 3+1']]);
  });

  it('reads over a gap that is allowed', () => {
    const registers = [register('input', 0), register('input', 4), register('input', 9)];
    expect(planned(registers, { maxGap: 3 })).toEqual([['input 0+5', 'input 9+1']]);
  });

  it('never reads what is only written, nor over it', () => {
    const unread = register('holding', 2, { intervalMs: undefined });
    const registers = [register('holding', 0), register('holding', 1), unread, register('holding', 3)];
    expect(planned(registers, { maxGap: 8 })).toEqual([['holding 0+2', 'holding 3+1']]);
    expect(planned([register('input', 1), unread, register('input', 3)], { maxGap: 8 })).toEqual([['input 1+3']]);
    expect(planned([unread])).toEqual([]);
  });

  it('takes the same place twice, and a value within another, once', () => {
    const registers = [register('input', 0, { value: 'uint32' }), register('input', 0), register('input', 1)];
    expect(planned(registers)).toEqual([['input 0+2']]);
  });

  it('polls registers of one interval together', () => {
    const slow = { intervalMs: 60_000 };
    expect(planned([register('input', 0), register('input', 1, slow), register('input', 2, slow)])).toEqual([
      ['input 0+1'],
      ['input 1+2'],
    ]);
  });

  it('of any registers reads each, with no more than the limits allow', () => {
    const any = fc.record({
      table: fc.constantFrom<Table>('input', 'holding', 'coil', 'discrete'),
      address: fc.integer({ min: 0, max: 3_000 }),
      value: fc.constantFrom<ValueType>('uint16', 'float32', 'int64'),
    });
    fc.assert(
      fc.property(
        fc.array(any, { maxLength: 200 }),
        fc.nat(120),
        fc.integer({ min: 4, max: 125 }),
        (list, maxGap, max) => {
          const registers = list.map(({ table, address, value }) => register(table, address, { value }));
          const reads = groupsOf({ maxGap, maxRegisters: max, registers }).flatMap((group) => group.reads);
          for (const read of reads) {
            expect(read.count).toBeLessThanOrEqual(TABLES[read.table].isBits ? 2_000 : max);
            for (const { address, ...rest } of read.registers) {
              expect(address).toBeGreaterThanOrEqual(read.address);
              expect(address + widthOf(rest)).toBeLessThanOrEqual(read.address + read.count);
            }
          }
          expect(reads.flatMap((read) => read.registers)).toHaveLength(registers.length);
        },
      ),
    );
  });
});
