import { describe, expect, it } from 'vitest';
import { portOptions, serialRoutes } from '../../../src/gateway/serial-ports.ts';
import { configOf, problemsOf } from '../../support/config-text.ts';

const REGISTER = 'name: power, type: input, address: 52';
const HOLDING = 'name: setpoint, type: holding, address: 7, writable: true';

function yaml({ port = '', modbus = '', unit = 'unitId: 1', register = REGISTER }): string {
  const units = `units: [ { ${unit}, registers: [ { ${register} } ] } ]`;
  return `serial:\n  - { name: a, path: /dev/a, ${port === '' ? '' : `${port}, `}modbus: { ${modbus}${units} } }`;
}

const configured = (text: string) => {
  const [port] = configOf(text).config.serial;
  if (port === undefined) throw new Error('no port');
  return port;
};

describe('modbus of a serial port', () => {
  it('needs a unit and its registers alone', () => {
    expect(portOptions(configured(yaml({}))).modbus).toEqual({
      timeoutMs: 1_000,
      retries: 1,
      units: [
        {
          unitId: 1,
          maxGap: 0,
          maxRegisters: 125,
          writeMultiple: false,
          registers: [
            { name: 'power', table: 'input', address: 52, value: 'uint16', wordOrder: 'big', intervalMs: 10_000 },
          ],
        },
      ],
    });
  });

  it('takes the interval of a register before that of its unit', () => {
    const units = `unitId: 1, interval: 5s`;
    const register = `${REGISTER}, interval: 1m`;
    const intervalOf = (text: string) => portOptions(configured(text)).modbus?.units[0]?.registers[0]?.intervalMs;
    expect(intervalOf(yaml({ unit: units }))).toBe(5_000);
    expect(intervalOf(yaml({ unit: units, register }))).toBe(60_000);
  });

  it('says what may be written, reckoned as it is read', () => {
    const register = `${HOLDING}, scale: 0.1, max: 80 }, { name: on, type: coil, address: 1, writable: true`;
    const [unit] =
      portOptions(configured(yaml({ unit: 'unitId: 1, writeMultiple: true', register }))).modbus?.units ?? [];
    expect(unit?.writeMultiple).toBe(true);
    expect(unit?.registers.map(({ write }) => write)).toEqual([
      { scale: 0.1, offset: 0, min: undefined, max: 80 },
      { scale: 1, offset: 0, min: undefined, max: undefined },
    ]);
  });

  it('has no interval where it is only written', () => {
    const register = `${REGISTER} }, { name: reset, type: coil, address: 9, writable: true, readable: false`;
    const registers = portOptions(configured(yaml({ register }))).modbus?.units[0]?.registers;
    expect(registers?.map(({ intervalMs }) => intervalMs)).toEqual([10_000, undefined]);
  });

  it('makes a route of each unit, with what its values are reckoned by', () => {
    const register = `${REGISTER}, scale: 0.1, unit: kW`;
    expect(serialRoutes(configured(yaml({ port: 'kafkaTopic: meters', register })))).toEqual([
      {
        topic: 'serial/a/1',
        stream: 'telemetry',
        device: 'a-1',
        metrics: { power: { scale: 0.1, offset: undefined, unit: 'kW' } },
        kafkaTopic: 'meters',
      },
    ]);
    const unit = 'unitId: 17, device: "meter-{unitId}"';
    expect(serialRoutes(configured(yaml({ unit })))).toMatchObject([{ topic: 'serial/a/17', device: 'meter-17' }]);
  });

  it('tells the units of a pattern apart by their ports', () => {
    const pattern = yaml({}).replace('/dev/a', '/dev/ttyRS*');
    expect(serialRoutes(configured(pattern))).toMatchObject([{ topic: 'serial/a/+port/1', device: 'a-{port}-1' }]);
  });

  const inRegister = (more: string) => ({ register: `${REGISTER}, ${more}` });
  it.each([
    [{ unit: 'unitId: 0' }, 'units[0].unitId: must be at least 1'],
    [{ unit: 'unitId: 248' }, 'units[0].unitId: must be at most 247'],
    [
      { unit: 'unitId: 1, device: "{device}"' },
      'units[0].device: has an unknown placeholder {device} (known here: {name}, {unitId})',
    ],
    [{ unit: 'unitId: 1, interval: 10ms' }, 'units[0].interval: must be from 100ms to 7d'],
    [{ unit: 'unitId: 1, unit: 1' }, 'units[0].unit: unknown option, probably unitId'],
    [{ modbus: 'timeout: 1ms, ' }, 'modbus.timeout: must be from 20ms to 1m'],
    [{ modbus: 'retrys: 1, ' }, 'modbus.retrys: unknown option, probably retries'],
    [{ register: 'name: power, address: 52' }, 'registers[0].type: must be input or holding or coil or discrete'],
    [{ register: 'name: power, type: input' }, 'registers[0].address: is required'],
    [{ register: 'name: power, type: inputs, address: 1' }, 'registers[0].type: must be input or holding or coil'],
    [{ register: 'name: ts, type: input, address: 1' }, 'registers[0].name: must not be ts'],
    [inRegister('value: float'), 'registers[0].value: must be uint16 or int16'],
    [inRegister('wordOrder: little'), 'registers[0].wordOrder: belongs to values of several registers'],
    [
      { register: 'name: on, type: coil, address: 1, scale: 2' },
      'registers[0].scale: belongs to type: input and holding',
    ],
    [
      { register: 'name: power, type: input, address: 65535, value: float32' },
      'registers[0].address: leaves no room for the 2 registers',
    ],
    [{ register: 'name: on, type: coil, address: 65536' }, 'registers[0].address: must be at most 65535'],
    [{ register: `${REGISTER} }, { ${REGISTER}` }, 'registers[1].name: is the name of another register'],
    [
      { unit: 'unitId: 1, registers: [ { name: a, type: coil, address: 1 } ] }, { unitId: 1' },
      'units[1].unitId: is the unitId of another unit',
    ],
    [{ port: 'format: csv' }, 'serial[0].format: does not fit modbus'],
    [{ port: 'framing: cobs' }, 'serial[0].framing: does not fit modbus'],
    [{ port: 'ack: "OK"' }, 'serial[0].ack: does not fit modbus'],
    [{ port: 'topicFirst: true' }, 'serial[0].topicFirst: does not fit modbus'],
    [{ port: 'stream: state' }, 'serial[0].stream: must be telemetry with modbus'],
    [{ port: 'device: a' }, 'serial[0].device: belongs to each of modbus.units'],
    [
      { port: 'commands: [ { name: a, write: b } ]' },
      'serial[0].commands: does not fit modbus, whose units are asked register by register: mark registers as writable',
    ],
    [inRegister('writable: true'), 'registers[0].writable: does not fit this type, which can only be read'],
    [inRegister('readable: false'), 'registers[0].readable: must not be false without writable: true'],
    [{ register: `${HOLDING}, readable: false, interval: 5s` }, 'registers[0].interval: belongs to what is read'],
    [inRegister('min: 1'), 'registers[0].min: belongs to writable: true'],
    [
      { register: 'name: on, type: coil, address: 1, writable: true, max: 1' },
      'max: belongs to type: input and holding',
    ],
    [{ register: `${HOLDING}, min: 2, max: 1` }, 'registers[0].min: is more than max'],
    [{ register: `${HOLDING}, scale: 0` }, 'registers[0].scale: must not be 0 with writable'],
    [{ register: `${HOLDING}, minimum: 0` }, 'registers[0].minimum: unknown option'],
  ])('with %j is a problem', (written, problem) => {
    expect(problemsOf(yaml(written))).toEqual([expect.stringContaining(problem)]);
  });

  it('has a unit with a register', () => {
    expect(problemsOf('serial: [ { name: a, path: /dev/a, modbus: {} } ]')).toEqual([
      expect.stringContaining('modbus.units: is required'),
    ]);
    expect(
      problemsOf('serial: [ { name: a, path: /dev/a, modbus: { units: [ { unitId: 1, registers: [] } ] } } ]'),
    ).toEqual([expect.stringContaining('registers: must name a register')]);
  });
});
