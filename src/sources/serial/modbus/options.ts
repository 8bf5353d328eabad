import type { Table, ValueType } from '../../../core/modbus.ts';

/** One value of a device. */
export interface Register {
  /** Its metric. */
  readonly name: string;
  readonly table: Table;
  /** As on the line, from 0. */
  readonly address: number;
  /** How it is written; coils and discrete inputs are `true` or `false`. */
  readonly value: ValueType;
  /** Which register comes first, where a value takes several. Each has its higher byte first. */
  readonly wordOrder: 'big' | 'little';
  /** Milliseconds; undefined: it is never read, only written. */
  readonly intervalMs: number | undefined;
  /** Undefined: it is only read. */
  readonly write?: WriteRule | undefined;
}

/** What may be written to a register, and how a value becomes that of the register: less `offset`, divided by `scale`. */
export interface WriteRule {
  readonly scale: number;
  readonly offset: number;
  /** In the value's own measure. */
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

export interface UnitOptions {
  /** Its address on the line, 1 to 247. */
  readonly unitId: number;
  readonly registers: readonly Register[];
  /** Registers that are read although nobody asks for them, so that two requests become one. */
  readonly maxGap: number;
  /** Of one request, where the device takes fewer than the protocol has. */
  readonly maxRegisters: number;
  /** Writes one register as it writes several (function codes 15 and 16), for devices that know no other way. */
  readonly writeMultiple: boolean;
}

/** A line of which Sluice is the master. */
export interface ModbusOptions {
  /** What a unit may take to answer, the time on the line not counted. Milliseconds. */
  readonly timeoutMs: number;
  /** How often a request without an answer is sent again. */
  readonly retries: number;
  readonly units: readonly UnitOptions[];
}
