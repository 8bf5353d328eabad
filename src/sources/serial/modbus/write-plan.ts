import { Buffer } from 'node:buffer';
import type { Command, CommandAnswer } from '../../../core/command.ts';
import { badCommand } from '../../../core/command-template.ts';
import { SluiceError } from '../../../core/errors.ts';
import { printable } from '../../../core/printable.ts';
import { refused } from '../commands/refused.ts';
import type { Register } from './options.ts';
import { widthOf } from './read-plan.ts';
import type { WriteSpan } from './request.ts';
import type { Unit } from './unit.ts';
import type { Value } from './values.ts';
import { writtenBytes, writtenValue } from './written-value.ts';

/** What a command writes to a unit. */
export interface WriteOrder {
  readonly command: Command;
  readonly unit: Unit;
  readonly writes: readonly Write[];
}

/** One request of it. */
export interface Write {
  readonly span: WriteSpan;
  /** What its registers are then, by name. */
  readonly values: ReadonlyMap<string, Value>;
}

/** An order, or why there is none. */
export type PlannedWrite = { readonly order: WriteOrder } | { readonly refusal: CommandAnswer };

const COMMAND = 'write';
/** Of one request [MODBUS Application Protocol V1.1b3, 6.11, 6.12]. */
const MAX_COILS = 1_968;
const MAX_REGISTERS = 123;

/** What a command to one of the units means; never throws. Neighbours are written by one request, in the order of their addresses. */
export function planWrite(units: readonly Unit[], command: Command): PlannedWrite {
  const own = units.filter(({ device }) => device === command.device);
  const writable = own.flatMap(({ options }) => options.registers.filter(({ write }) => write !== undefined));
  const names = writable.map(({ name }) => name).join(', ');
  if (command.name !== COMMAND) {
    const error = `a Modbus unit has no command ${printable(command.name)}; it has ${COMMAND}, of these registers: ${names}`;
    return { refusal: refused(404, error) };
  }
  try {
    return { order: orderOf(own, command, names) };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { refusal: refused(400, error.message) };
  }
}

/** Why it is not written; undefined when it can be. */
export function refusalOf(planned: PlannedWrite): CommandAnswer | undefined {
  return 'refusal' in planned ? planned.refusal : undefined;
}

function orderOf(units: readonly Unit[], command: Command, names: string): WriteOrder {
  const { params } = command;
  if (typeof params !== 'object' || params === null || Array.isArray(params) || Object.keys(params).length === 0) {
    throw badCommand(`params must be an object of registers and values; the registers are ${names}`);
  }
  const entries = Object.entries(params);
  for (const [name] of entries) {
    if (!units.some((unit) => registerOf(unit, name))) {
      throw badCommand(`${printable(name)} is no register that may be written; these are: ${names}`);
    }
  }
  const unit = units.find((each) => entries.every(([name]) => registerOf(each, name) !== undefined));
  if (unit === undefined) throw badCommand('these registers are not all of one unit: write them by several commands');
  const wanted = entries.map(([name, value]) => ({ register: registerOf(unit, name) as Register, value }));
  return { command, unit, writes: writesOf(wanted, unit.options.maxRegisters) };
}

function registerOf({ options }: Unit, name: string): Register | undefined {
  return options.registers.find((register) => register.write !== undefined && register.name === name);
}

interface Wanted {
  readonly register: Register;
  readonly value: unknown;
}

function writesOf(wanted: readonly Wanted[], maxRegisters: number): readonly Write[] {
  const byTable = Map.groupBy(wanted, ({ register }) => register.table as WriteSpan['table']);
  return [...byTable].flatMap(([table, ofTable]) => {
    const max = table === 'coil' ? MAX_COILS : Math.min(MAX_REGISTERS, maxRegisters);
    const sorted = ofTable.toSorted((a, b) => a.register.address - b.register.address);
    return runsOf(sorted, max).map((run) => writeOf(table, run));
  });
}

/** Of neighbours without a gap between them: what nobody asked for is not written. */
function runsOf(sorted: readonly Wanted[], max: number): readonly Wanted[][] {
  const runs: Wanted[][] = [];
  for (const each of sorted) {
    const last = runs.at(-1);
    const before = last?.at(-1)?.register;
    const begin = last?.[0]?.register.address ?? 0;
    const isNext = before !== undefined && before.address + widthOf(before) === each.register.address;
    if (isNext && each.register.address + widthOf(each.register) - begin <= max) last?.push(each);
    else runs.push([each]);
  }
  return runs;
}

function writeOf(table: WriteSpan['table'], run: readonly Wanted[]): Write {
  const values = new Map(run.map(({ register, value }) => [register.name, writtenValue(register, value)]));
  const address = run[0]?.register.address ?? 0;
  const count = run.reduce((sum, { register }) => sum + widthOf(register), 0);
  const data =
    table === 'coil'
      ? packed([...values.values()])
      : Buffer.concat(run.map(({ register, value }) => writtenBytes(register, value)));
  return { span: { table, address, count, data }, values };
}

function packed(bits: readonly Value[]): Buffer {
  const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
  for (const [index, bit] of bits.entries()) {
    if (bit === true) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
  }
  return bytes;
}
