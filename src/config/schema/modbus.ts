/** What is read from the devices of a Modbus line. Options that a register has no use for are problems. */

import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { MAX_UNITS, TABLES, VALUE_TYPES } from '../../core/modbus.ts';
import { placeholdersOf } from '../../core/placeholders.ts';
import { printable } from '../../core/printable.ts';
import { DEFAULT_FRAMING } from './framing.ts';
import {
  ANY_LIST,
  ANY_MAPPING,
  count,
  duration,
  flag,
  flagAbout,
  oneOf,
  section,
  text,
  type Written,
  wholeNumber,
} from './options.ts';
import { DECODING, NAME, template, UNIT } from './routes.ts';

/** Records have their time of observation there. */
const TIME = 'ts';
const MAX_ADDRESS = 65_535;
const INTERVAL = { min: '100ms', max: '7d' };

const register = section({
  name: text(NAME).meta({ description: 'Its metric, unique in the unit.', 'x-type': 'name', 'x-sample': 'power' }),
  type: z.enum(Object.keys(TABLES) as [keyof typeof TABLES]).meta({
    description: 'Which of the four tables of the device it stands in; function code 4, 3, 1 or 2 reads it.',
    'x-type': oneOf(Object.keys(TABLES)),
    'x-sample': 'input',
  }),
  address: wholeNumber({ min: 0, max: MAX_ADDRESS }).meta({
    description: 'As on the line, from 0: what a manual calls 30053 is `type: input`, `address: 52`.',
    'x-type': 'whole number, 0 to 65,535',
    'x-sample': 52,
  }),
  value: z
    .enum(Object.keys(VALUE_TYPES) as [keyof typeof VALUE_TYPES])
    .optional()
    .meta({
      description: 'How the number is written; `uint16` when left out.',
      'x-type': oneOf(Object.keys(VALUE_TYPES)),
    }),
  wordOrder: z
    .enum(['big', 'little'])
    .optional()
    .meta({
      description:
        'Which register comes first in a value of several; `big`, the highest one, when left out. In each the higher byte does.',
      'x-type': oneOf(['big', 'little']),
    }),
  scale: z.number().optional().meta({ description: 'The value is multiplied by it.', 'x-type': 'number' }),
  offset: z.number().optional().meta({ description: 'Then this is added.', 'x-type': 'number' }),
  unit: text(UNIT).optional().meta({ description: 'Shown by the API, such as `kW`.', 'x-type': UNIT.rule }),
  interval: duration('10s', "How often it is read; the unit's `interval` when left out.", INTERVAL)
    .unwrap()
    .optional()
    .meta({
      description: "How often it is read; the unit's `interval` when left out.",
      'x-type': 'duration, 100ms to 7d',
    }),
  writable: flag().optional().meta(flagAbout('Commands may write it; `type: holding` and `coil` only.')),
  readable: flag()
    .optional()
    .meta(flagAbout('`false`: it is only written, and never read; with `writable: true` only. `true` when left out.')),
  min: z.number().optional().meta({ description: 'Least value that may be written.', 'x-type': 'number' }),
  max: z.number().optional().meta({ description: 'Greatest value that may be written.', 'x-type': 'number' }),
}).superRefine(checkRegister, ANY_MAPPING);

function checkRegister(register: object, context: z.core.$RefinementCtx): void {
  const { name, type, address, value = 'uint16', ...written } = register as Written;
  const report = (option: string, message: string) => context.addIssue({ code: 'custom', path: [option], message });
  if (name === TIME) report('name', 'must not be ts, which is the time of a record');
  const isBit = TABLES[type as keyof typeof TABLES]?.isBits === true;
  if (isBit) {
    for (const option of ['value', 'wordOrder', 'scale', 'offset', 'min', 'max']) {
      if ((register as Written)[option] !== undefined) {
        report(option, 'belongs to type: input and holding; this one is true or false');
      }
    }
  }
  checkWritable({ type, ...written }, report);
  const words = isBit ? 1 : VALUE_TYPES[value as keyof typeof VALUE_TYPES];
  if (words === undefined) return;
  if (!isBit && words === 1 && written['wordOrder'] !== undefined)
    report('wordOrder', 'belongs to values of several registers');
  if (typeof address === 'number' && address <= MAX_ADDRESS && address + words > MAX_ADDRESS + 1)
    report('address', `leaves no room for the ${words} registers of the value`);
}

function checkWritable(
  { type, writable, readable, interval, min, max, scale }: Written,
  report: (option: string, message: string) => void,
): void {
  if (readable === false && interval !== undefined) report('interval', 'belongs to what is read');
  if (writable !== true) {
    if (readable === false) report('readable', 'must not be false without writable: true');
    if (min !== undefined && type !== 'coil' && type !== 'discrete') report('min', 'belongs to writable: true');
    if (max !== undefined && type !== 'coil' && type !== 'discrete') report('max', 'belongs to writable: true');
    return;
  }
  if (type === 'input' || type === 'discrete') report('writable', 'does not fit this type, which can only be read');
  if (scale === 0) report('scale', 'must not be 0 with writable: no value could be written');
  if (typeof min === 'number' && typeof max === 'number' && min > max) report('min', 'is more than max');
}

const unit = section({
  unitId: wholeNumber({ min: 1, max: MAX_UNITS }).meta({
    description: 'Address of the device on the line.',
    'x-type': 'whole number, 1 to 247',
    'x-sample': 1,
  }),
  device: template(
    'Whose the values are; `{unitId}` is its address. When left out `{name}-{unitId}`, with a pattern `{name}-{port}-{unitId}`.',
  ).optional(),
  interval: duration('10s', 'How often its registers are read: those of one interval become one record.', INTERVAL),
  maxGap: count(
    0,
    'Neighbours are read by one request, and those behind so many addresses that nobody asked for too. Some devices refuse a request that touches an address they do not have.',
    { min: 0, max: 120 },
  ),
  maxRegisters: count(125, 'Most registers of one request, for devices that take fewer than the protocol has.', {
    min: 4,
    max: 125,
    unit: 'registers',
  }),
  writeMultiple: flag()
    .prefault(false)
    .meta(
      flagAbout('Writes a single register or coil as several are written (function code 16 or 15 instead of 6 or 5).'),
    ),
  registers: z
    .array(register)
    .min(1, 'must name a register')
    .max(1_000)
    .superRefine((list, context) => reportRepeated(list, 'name', { of: 'register', context }), ANY_LIST)
    .meta({
      description: 'What is read.',
      'x-sample': [{ name: 'power', type: 'input', address: 52 }],
    }),
});

interface Repeated {
  readonly of: string;
  readonly context: z.core.$RefinementCtx;
}

function reportRepeated(list: readonly unknown[], option: string, { of, context }: Repeated): void {
  const values = list.map((entry) => (entry as Written | null)?.[option]);
  for (const [index, value] of values.entries()) {
    if (value === undefined || values.indexOf(value) === index) continue;
    context.addIssue({ code: 'custom', path: [index, option], message: `is the ${option} of another ${of}` });
  }
}

/** `modbus` of a port: Sluice is the master of its line. */
export const modbus = section({
  timeout: duration(
    '1s',
    'What a unit may take to answer, the time that request and answer are on the line not counted.',
    { min: '20ms', max: '1m' },
  ),
  retries: count(
    1,
    'How often a request without an answer is sent again. A unit that does not answer is then asked once an interval.',
    {
      min: 0,
      max: 5,
    },
  ),
  units: z
    .array(unit)
    .min(1, 'must name a unit')
    .max(MAX_UNITS)
    .superRefine((list, context) => reportRepeated(list, 'unitId', { of: 'unit', context }), ANY_LIST)
    .meta({
      description: 'Devices on the line.',
      'x-sample': [{ unitId: 1, registers: [{ name: 'power', type: 'input', address: 52 }] }],
    }),
})
  .optional()
  .meta({
    description:
      'Modbus RTU: the devices of the line are polled. `framing`, `format` and what belongs to them have no place then.',
  });

const NO_USE = 'does not fit modbus, whose units are asked register by register';
/** Of a port, which a line that is polled has no use for. */
const NOT_POLLED = [
  ...Object.keys(DECODING).filter((option) => option !== 'kafkaTopic'),
  'deviceFrom',
  'dedupe',
  'ack',
  'nack',
];

/** `captures`: what templates of a port may hold. */
export function checkPolled(port: Written, context: z.core.$RefinementCtx, captures: readonly string[]): void {
  const report = (path: (string | number)[], message: string) => context.addIssue({ code: 'custom', path, message });
  const { framing, stream, topicFirst, device } = port;
  for (const option of NOT_POLLED) {
    if (port[option] !== undefined) report([option], NO_USE);
  }
  if (!isDeepStrictEqual(framing, DEFAULT_FRAMING)) report(['framing'], NO_USE);
  if (topicFirst === true) report(['topicFirst'], NO_USE);
  if (!isDeepStrictEqual(port['commands'], [])) report(['commands'], `${NO_USE}: mark registers as writable`);
  if (stream !== 'telemetry') report(['stream'], 'must be telemetry with modbus');
  if (device !== undefined) report(['device'], 'belongs to each of modbus.units');
  for (const [index, template] of devicesOf(port).entries()) {
    for (const name of unknownIn(template, [...captures, 'unitId'])) {
      const known = [...captures, 'unitId'].map((each) => `{${each}}`).join(', ');
      report(
        ['modbus', 'units', index, 'device'],
        `has an unknown placeholder {${printable(name, 40)}} (known here: ${known})`,
      );
    }
  }
}

function devicesOf({ modbus: polled }: Written): readonly unknown[] {
  const units = (polled as Written | null)?.['units'];
  return Array.isArray(units) ? units.map((each) => (each as Written | null)?.['device']) : [];
}

function unknownIn(text: unknown, known: readonly string[]): readonly string[] {
  return typeof text === 'string' ? placeholdersOf(text).filter((name) => !known.includes(name)) : [];
}
