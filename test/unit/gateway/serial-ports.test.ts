import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { portOptions, serialRoutes } from '../../../src/gateway/serial-ports.ts';
import { configOf } from '../../support/config-text.ts';

function port(options: string) {
  const [config] = configOf(`serial: [ { name: a, path: "/dev/a", ${options} } ]`).config.serial;
  if (config === undefined) throw new Error('no port');
  return config;
}

const framing = (text: string) => portOptions(port(`framing: ${text}`)).framing;

describe('the configuration of a serial port', () => {
  it.each([
    ['lines', { kind: 'lines', ending: 'lf', maxFrameBytes: 4096 }],
    ['{ type: delimiter, delimiter: "##" }', { kind: 'delimiter', delimiter: Buffer.from('##') }],
    ['slip', { kind: 'slip' }],
    ['nmea0183', { kind: 'nmea0183', maxFrameBytes: 4096 }],
    ['{ type: fixed, length: 7, gap: 0ms }', { kind: 'fixed', length: 7, gapMs: 0, start: Buffer.alloc(0) }],
    ['{ type: start-end, start: "0x02", end: "0x03" }', { kind: 'start-end', end: Buffer.from([3]), gapMs: 1_000 }],
    ['inter-byte-timeout', { kind: 'inter-byte-timeout', gapMs: 50 }],
    [
      'length-prefixed',
      { kind: 'length-prefixed', lengthOffset: 0, lengthWidth: 1, lengthOrder: 'big', lengthCovers: 'rest' },
    ],
    [
      '{ type: cobs, check: crc16-modbus }',
      { kind: 'cobs', check: { type: 'crc16-modbus', order: 'little', place: 'end', form: 'binary' } },
    ],
    ['{ type: lines, check: { type: crc32, form: hex } }', { check: { type: 'crc32', order: 'big', form: 'hex' } }],
  ])('says of framing %s what the decoder needs', (text, expected) => {
    expect(framing(text)).toMatchObject(expected);
  });

  it.each([
    ['lock: true', 'serial/a', 'a'],
    ['deviceFrom: id', 'serial/a', '{device}'],
    ['deviceFrom: id, device: "{name}-{device}"', 'serial/a', 'a-{device}'],
    ['device: "küche"', 'serial/a', 'küche'],
    ['format: senml, device: "{name}-{base}"', 'serial/a', 'a-{base}'],
  ])('with %s says whose the frames are', (options, topic, device) => {
    expect(serialRoutes(port(options))).toMatchObject([{ topic, device }]);
  });

  it.each([
    ['format: csv, columns: [ a, b ], separator: ";", decimal: ",", time: b, zone: Europe/Berlin'],
    ['format: struct, layout: "<Hf", columns: [ n, t ], kafkaTopic: "x.{gateway}", metrics: { t: { unit: C } }'],
    ['format: regex, pattern: "^(?<t>.*)$", metric: m'],
    ['stream: events, eventType: scan, format: text'],
  ])('with %s says how they are read, in the words of routes', (options) => {
    const { routes } = configOf(`mqtt: { routes: [ { topic: a, device: a, ${options} } ] }`).config.mqtt;
    const { topic: _, ...read } = routes[0] ?? { topic: '' };
    expect(serialRoutes(port(options))).toMatchObject([read]);
  });

  it('tells the ports of a pattern apart', () => {
    const [config] = configOf('serial: [ { name: a, path: "/dev/ttyUSB*", metric: "{name}.{port}" } ]').config.serial;
    if (config === undefined) throw new Error('no port');
    expect(serialRoutes(config)).toMatchObject([{ topic: 'serial/a/+port', device: 'a-{port}', metric: 'a.{port}' }]);
  });

  it('says what its commands are written as, and how their answers are known', () => {
    const commands = (text: string) => portOptions(port(`commands: [ ${text} ]`)).commands;
    expect(commands('{ name: a, write: "A {params.x}" }')).toEqual([
      { name: 'a', write: 'A {params.x}', encoding: 'text', layout: undefined, response: undefined },
    ]);
    const responses = commands(`
      { name: a, write: { do: [ 1, "{name}" ] }, response: { field: id } },
      { name: b, write: "41", encoding: hex, response: { pattern: "^06(?<n>..)$", error: "^15", encoding: hex } },
      { name: c, write: [ 1 ], layout: "<B", response: { layout: "<BH", columns: [ k, n ], when: { k: 2 } } }`);
    expect(responses.map(({ write, response }) => ({ write, response }))).toEqual([
      { write: { do: [1, '{name}'] }, response: { kind: 'field', field: 'id' } },
      { write: '41', response: { kind: 'pattern', pattern: '^06(?<n>..)$', error: '^15', encoding: 'hex' } },
      {
        write: [1],
        response: { kind: 'layout', layout: '<BH', columns: ['k', 'n'], when: { k: 2 }, errorWhen: undefined },
      },
    ]);
  });

  it('may answer with a template or with bytes', () => {
    const { ack, nack } = portOptions(port('ack: "{\\"ok\\":{frame}}\\n", nack: "0x15", dedupe: { field: n }'));
    expect(ack?.('17').toString()).toBe('{"ok":17}\n');
    expect(nack?.('')).toEqual(Buffer.from([0x15]));
    expect(portOptions(port('lock: false'))).toMatchObject({ ack: undefined, nack: undefined, frameWindow: undefined });
  });
});
