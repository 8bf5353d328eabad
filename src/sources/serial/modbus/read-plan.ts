import { TABLES, type Table, VALUE_TYPES } from '../../../core/modbus.ts';
import type { Register, UnitOptions } from './options.ts';
import type { Span } from './request.ts';

/** One request of a poll, and what is taken from its answer. */
export interface Read extends Span {
  readonly registers: readonly Register[];
}

/** What is polled together: one record. */
export interface Group {
  readonly intervalMs: number;
  /** In the order of the configuration. */
  readonly registers: readonly Register[];
  readonly reads: readonly Read[];
}

/** Addresses that a value takes. */
export function widthOf({ table, value }: Pick<Register, 'table' | 'value'>): number {
  return TABLES[table].isBits ? 1 : VALUE_TYPES[value];
}

type Planned = Pick<UnitOptions, 'registers' | 'maxGap' | 'maxRegisters'>;

/**
 * Registers of one interval are polled together, in as few requests as the protocol and the device allow. What is only
 * written is never read, not even between others.
 */
export function groupsOf(unit: Planned): readonly Group[] {
  const byInterval = Map.groupBy(unit.registers, ({ intervalMs }) => intervalMs);
  return [...byInterval].flatMap(([intervalMs, registers]) =>
    intervalMs === undefined ? [] : [{ intervalMs, registers, reads: readsOf(registers, unit) }],
  );
}

function readsOf(polled: readonly Register[], { registers, maxGap, maxRegisters }: Planned): readonly Read[] {
  const byTable = Map.groupBy(polled, ({ table }) => table);
  return [...byTable].flatMap(([table, ofTable]) => {
    const { isBits, maxCount } = TABLES[table];
    const max = isBits ? maxCount : Math.min(maxCount, maxRegisters);
    const unread = registers.filter((register) => register.table === table && register.intervalMs === undefined);
    return neighbours(table, ofTable, { max, maxGap, unread });
  });
}

interface Bounds {
  readonly max: number;
  readonly maxGap: number;
  readonly unread: readonly Register[];
}

function neighbours(table: Table, registers: readonly Register[], { max, maxGap, unread }: Bounds): readonly Read[] {
  const reads: Read[] = [];
  for (const register of registers.toSorted((a, b) => a.address - b.address)) {
    const last = reads.at(-1);
    const end = register.address + widthOf(register);
    const lastEnd = last === undefined ? 0 : last.address + last.count;
    const isNear = register.address - lastEnd <= maxGap && !unread.some((other) => standsIn(other, lastEnd, register));
    if (last !== undefined && isNear && end - last.address <= max) {
      const count = Math.max(last.count, end - last.address);
      reads[reads.length - 1] = { ...last, count, registers: [...last.registers, register] };
    } else {
      reads.push({ table, address: register.address, count: end - register.address, registers: [register] });
    }
  }
  return reads;
}

/** Between that address and the register. */
function standsIn(other: Register, from: number, { address }: Register): boolean {
  return other.address < address && other.address + widthOf(other) > from;
}
