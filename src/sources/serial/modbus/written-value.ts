import type { Buffer } from 'node:buffer';
import { badCommand } from '../../../core/command-template.ts';
import { TABLES, type ValueType } from '../../../core/modbus.ts';
import { shortestFloat32 } from '../../../core/shortest-float.ts';
import type { Register, WriteRule } from './options.ts';
import { registersOf, type Value } from './values.ts';

/** Whole numbers that a type holds; beyond 2^53 those that JSON holds exactly. */
const RANGES: Readonly<Partial<Record<ValueType, readonly [min: number, max: number]>>> = {
  uint16: [0, 65_535],
  int16: [-32_768, 32_767],
  uint32: [0, 2 ** 32 - 1],
  int32: [-(2 ** 31), 2 ** 31 - 1],
  uint64: [0, Number.MAX_SAFE_INTEGER],
  int64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
};
const NO_RULE: WriteRule = { scale: 1, offset: 0 };
/** What reckoning may be off by: 21.5 / 0.1 is 215.00000000000003, and values are shown with twelve digits. */
const TOLERANCE = 1e-6;
const RELATIVE_TOLERANCE = 1e-11;

/** What the register is when that was written to it. @throws SluiceError `bad_command` that says what it may be */
export function writtenValue(register: Register, value: unknown): Value {
  const { name, table } = register;
  if (TABLES[table].isBits) {
    if (typeof value !== 'boolean') throw badCommand(`${name} must be true or false`);
    return value;
  }
  const { scale, offset } = register.write ?? NO_RULE;
  return shown(rawOf(register, value) * scale + offset);
}

/** The registers that stand for it. @throws SluiceError `bad_command` that says what it may be */
export function writtenBytes(register: Register, value: unknown): Buffer {
  return registersOf(register, rawOf(register, value));
}

/** The number that stands in the register. */
function rawOf(register: Register, value: unknown): number {
  const { name, value: type, write: rule = NO_RULE } = register;
  const range = RANGES[type];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw badCommand(`${name} must be a number`);
  const raw = (value - rule.offset) / rule.scale;
  const isAllowed = value >= (rule.min ?? value) && value <= (rule.max ?? value);
  const rounded = Math.round(raw);
  const isHeld = range === undefined ? isFloat(type, raw) : rounded >= range[0] && rounded <= range[1];
  if (!isAllowed || !isHeld) throw badCommand(`${name} must be ${limitsOf(rule, range)}`);
  if (range === undefined) return type === 'float32' ? shortestFloat32(Math.fround(raw)) : raw;
  if (Math.abs(raw - rounded) > TOLERANCE + Math.abs(raw) * RELATIVE_TOLERANCE) {
    const neighbours = [Math.floor(raw), Math.ceil(raw)].map((each) => shown(each * rule.scale + rule.offset));
    throw badCommand(`${name} goes in steps of ${Math.abs(rule.scale)}: ${neighbours.join(' or ')}`);
  }
  // Minus zero is none of a whole number's.
  return rounded + 0;
}

function isFloat(type: ValueType, raw: number): boolean {
  return Number.isFinite(type === 'float32' ? Math.fround(raw) : raw);
}

function limitsOf({ scale, offset, min, max }: WriteRule, range: readonly number[] = []): string {
  const ends = range.map((end) => shown(end * scale + offset));
  const least = Math.max(
    min ?? Number.NEGATIVE_INFINITY,
    ends.length === 0 ? Number.NEGATIVE_INFINITY : Math.min(...ends),
  );
  const most = Math.min(
    max ?? Number.POSITIVE_INFINITY,
    ends.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...ends),
  );
  if (Number.isFinite(least) && Number.isFinite(most)) return `from ${least} to ${most}`;
  if (Number.isFinite(least)) return `at least ${least}`;
  return Number.isFinite(most) ? `at most ${most}` : 'a number that its type holds';
}

/** With the digits that values of registers are read with. */
function shown(value: number): number {
  return Number(value.toPrecision(12));
}
