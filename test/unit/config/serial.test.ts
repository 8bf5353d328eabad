import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { configOf, problemsOf } from '../../support/config-text.ts';

const PORT = 'name: a, path: /dev/serial/by-id/a';
const port = (options: string) => problemsOf(`serial:\n  - { ${PORT}, ${options} }`);
const parsed = (options: string) => configOf(`serial: [ { ${PORT}, ${options} } ]`).config.serial[0];

describe('a serial port', () => {
  it('needs its name and path alone', () => {
    expect(configOf(`serial: [ { ${PORT} } ]`).config.serial).toEqual([
      {
        name: 'a',
        path: '/dev/serial/by-id/a',
        baudRate: 115_200,
        dataBits: 8,
        parity: 'none',
        stopBits: 1,
        flowControl: 'none',
        lock: true,
        silenceTimeout: 0,
        framing: { type: 'lines', maxFrameBytes: 4096 },
        topicFirst: false,
        stream: 'telemetry',
        commands: [],
        readyAfter: 2_000,
        maxWaiting: 1_048_576,
        zone: 'UTC',
      },
    ]);
  });

  it('takes bytes as text and in hexadecimal, and a checksum by its name', () => {
    expect(parsed('framing: { type: start-end, start: "0xAA55", end: "\\r\\n", check: crc8 }')?.framing).toMatchObject({
      start: Buffer.from([0xaa, 0x55]),
      end: Buffer.from('\r\n'),
      check: { type: 'crc8' },
    });
  });

  it.each([
    [
      'framing: { type: delimiter, delimiter: 0x0d0a }',
      'framing.delimiter: must be in quotes: "text", or bytes such as',
    ],
    ['baudrate: 9600', 'serial[0].baudrate: unknown option, probably baudRate'],
    ['baudRate: fast', 'serial[0].baudRate: must be a whole number, found fast'],
    ['dataBits: 9', 'serial[0].dataBits: must be at most 8'],
    ['parity: odds', 'serial[0].parity: must be none or even or odd, found odds, probably odd'],
    ['framing: line', 'serial[0].framing: must be lines or delimiter or cobs'],
    ['framing: delimiter', 'serial[0].framing.delimiter: is required by delimiter'],
    ['framing: { type: fixed }', 'serial[0].framing.length: is required by fixed'],
    ['framing: { type: fixed, length: 5000 }', 'serial[0].framing.length: is more than maxFrameBytes'],
    ['framing: { type: lines, lenght: 5 }', 'serial[0].framing.lenght: unknown option, probably length'],
    ['framing: { type: lines, length: 5 }', 'serial[0].framing.length: belongs to fixed'],
    [
      'framing: { type: cobs, gap: 5ms }',
      'framing.gap: belongs to fixed, length-prefixed, start-end, inter-byte-timeout',
    ],
    ['framing: { type: start-end, start: "0x02" }', 'serial[0].framing.end: is required by start-end'],
    ['framing: { type: length-prefixed, lengthWidth: 3 }', 'framing.lengthWidth: must be 1, 2 or 4'],
    ['framing: { type: inter-byte-timeout, gap: 0ms }', 'framing.gap: must not be 0ms'],
    ['framing: { type: nmea0183, check: xor }', 'framing.check: does not fit nmea0183, which has its own'],
    [
      'framing: { type: fixed, length: 2, start: "0xaa55" }',
      'framing.length: leaves no byte for a payload: start and checksum take 2',
    ],
    [
      'framing: { type: fixed, length: 6, start: "0xaa55", check: crc32 }',
      'framing.length: leaves no byte for a payload',
    ],
    [
      'framing: { type: fixed, length: 2, check: { type: xor, form: hex } }',
      'framing.length: leaves no byte for a payload',
    ],
    [
      'framing: { type: delimiter, delimiter: "01234567", maxFrameBytes: 8B }',
      'framing.maxFrameBytes: leaves no byte for a payload',
    ],
    [
      'framing: { type: start-end, start: "<", end: ">>>", maxFrameBytes: 4B }',
      'framing.maxFrameBytes: leaves no byte for a payload',
    ],
    [
      'framing: { type: length-prefixed, lengthOffset: 64, maxFrameBytes: 65B }',
      'framing.maxFrameBytes: leaves no byte for a payload',
    ],
    [
      'framing: { type: lines, check: crc32, maxFrameBytes: 5B }',
      'framing.maxFrameBytes: leaves no byte for a payload: what frames it takes 5',
    ],
    [
      'framing: { type: cobs, check: crc16-ccitt, maxFrameBytes: 4B }',
      'framing.maxFrameBytes: leaves no byte for a payload',
    ],
    ['framing: { type: start-end, start: "~", end: "0x7e" }', 'framing.end: must not be start'],
    [
      'framing: { type: fixed, length: 513, check: xor }',
      'framing.start: is required with check where frames are longer than 512B',
    ],
    [
      'framing: { type: length-prefixed, lengthWidth: 2, check: xor }',
      'framing.start: is required with check where frames are longer than 512B',
    ],
    ['dedupe: { field: ts }', 'serial[0].dedupe.field: is the time of observation'],
    ['time: at, dedupe: { field: at }', 'serial[0].dedupe.field: is the time of observation'],
    ['deviceFrom: ts', 'serial[0].deviceFrom: is the time of observation'],
    ['deviceFrom: id, dedupe: { field: id }', 'serial[0].dedupe.field: says whose the frame is'],
    ['format: csv, columns: [ n, t ], dedupe: { field: m }', 'serial[0].dedupe.field: is none of the columns'],
    ['format: struct, layout: "<hh", columns: [ n, t ], deviceFrom: m', 'serial[0].deviceFrom: is none of the columns'],
    ['format: regex, pattern: "^(?<t>.+)$", deviceFrom: id', 'serial[0].deviceFrom: is none of the groups of pattern'],
    [
      'format: text, metric: t, dedupe: { field: t }',
      'serial[0].dedupe.field: does not fit format: text, whose one value is that of metric',
    ],
    ['framing: { type: cobs, check: crc17 }', 'framing.check: must be crc8 or crc16-modbus'],
    ['framing: { type: cobs, check: { type: crc8, order: low } }', 'check.order: must be big or little, found low'],
    ['format: csv', 'serial[0].columns: is required with format: csv'],
    ['stream: events', 'serial[0].eventType: is required with stream: events'],
    ['device: "{port}"', 'unknown placeholder {port} (known here: {name})'],
    ['device: "{device}"', 'unknown placeholder {device} (known here: {name})'],
    ['ack: "OK {frame}"', 'serial[0].ack: {frame} needs dedupe'],
    ['ack: "OK {fram}", dedupe: { field: n }', 'unknown placeholder {fram} (known here: {frame})'],
    ['nack: "NO {frame}", dedupe: { field: n }', 'serial[0].nack: has {frame}, but nobody knows the number'],
    ['dedupe: { window: 5 }', 'serial[0].dedupe.field: is required'],
    ['stream: state, dedupe: { field: n }', 'serial[0].dedupe: belongs to stream: telemetry'],
    ['stream: state, deviceFrom: id', 'serial[0].deviceFrom: belongs to stream: telemetry'],
    ['topicFirst: true, format: json', 'serial[0].format: does not fit topicFirst'],
    ['topicFirst: true, dedupe: { field: n }', 'serial[0].dedupe: does not fit topicFirst'],
    ['topicFirst: true, stream: state', 'serial[0].stream: does not fit topicFirst'],
    ['zone: Berlin', 'serial[0].zone: must be a time zone such as Europe/Berlin'],
  ])('with %s is a problem', (options, problem) => {
    const problems = port(options);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^2:\d+: serial\[0\]/);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    'framing: { type: fixed, length: 3, start: "0xaa55" }',
    'framing: { type: fixed, length: 512, check: xor }',
    'framing: { type: fixed, length: 4096, start: "S", check: xor }',
    'framing: { type: length-prefixed, check: xor }',
    'framing: { type: length-prefixed, lengthWidth: 2, check: xor, maxFrameBytes: 512B }',
    'framing: { type: length-prefixed, lengthWidth: 2, check: xor, start: S }',
    'framing: { type: inter-byte-timeout, check: crc16-modbus, maxFrameBytes: 64KiB }',
    'framing: { type: lines, check: crc32, maxFrameBytes: 6B }',
    'format: senml, dedupe: { field: ts }',
    'format: csv, columns: [ n, t ], dedupe: { field: n }, deviceFrom: t',
    'metric: room, deviceFrom: id',
  ])('may have %s', (options) => {
    expect(port(options)).toEqual([]);
  });

  const LAYOUT = 'layout: "<BH", columns: [ kind, n ]';
  it.each([
    ['{ name: a }', '.write: must be text in quotes, a mapping, or with layout a list of values'],
    ['{ write: x }', '.name: is required'],
    ['{ name: "a/b", write: x }', '.name: must be 1 to 128 characters'],
    ['{ name: a, write: x }, { name: a, write: y }', 'commands[1].name: is the name of another command'],
    ['{ name: a, write: "{param.x}" }', '.write: has an unknown placeholder {param.x} (known here: {request_id}'],
    ['{ name: a, write: { set: [ "{value}" ] } }', '.write: has an unknown placeholder {value}'],
    ['{ name: a, write: x, writes: y }', '.writes: unknown option, probably write'],
    ['{ name: a, write: x, encoding: octal }', '.encoding: must be text or hex or base64'],
    ['{ name: a, write: { x: 1 }, encoding: hex }', '.encoding: belongs to text in write'],
    ['{ name: a, write: [ 1, 2 ] }', '.layout: is required when write is a list of values'],
    ['{ name: a, write: [ 1, 2 ], layout: "<B" }', '.write: has 2 values, and layout has 1'],
    ['{ name: a, write: x, layout: "<B" }', '.layout: needs a list of values in write'],
    ['{ name: a, write: [ 1 ], layout: B }', '.layout: must be a layout such as'],
    ['{ name: a, write: x, response: {} }', '.response: needs one of pattern, field and layout'],
    ['{ name: a, write: x, response: { field: id, pattern: x } }', '.response.field: does not fit pattern'],
    ['{ name: a, write: x, response: { field: id, encoding: hex } }', '.response.encoding: belongs to pattern'],
    ['{ name: a, write: x, response: { pattern: "(?<a>" } }', '.response.pattern: is no expression of RE2'],
    ['{ name: a, write: x, response: { pattern: a, error: "(?=a)" } }', '.response.error: is no expression of RE2'],
    ['{ name: a, write: x, response: { patern: a } }', '.response.patern: unknown option, probably pattern'],
    [`{ name: a, write: x, response: { ${LAYOUT} } }`, '.response.when: is required by layout'],
    [`{ name: a, write: x, response: { ${LAYOUT}, when: { kin: 1 } } }`, '.response.when: kin is none of the columns'],
    [`{ name: a, write: x, response: { layout: "<B", columns: [ a, b ], when: { a: 1 } } }`, '.columns: has 2 values'],
    ['{ name: a, write: x, response: { layout: "<B", when: { a: 1 } } }', '.response.columns: is required by layout'],
  ])('with the commands %s is a problem', (commands, problem) => {
    const problems = port(`commands: [ ${commands} ]`);
    expect(problems[0]).toMatch(/^2:\d+: serial\[0\]\.commands/);
    expect(problems.join('\n')).toContain(problem);
  });

  it.each(['dev/tty0', '/dev/*/a', '/dev/a*b*', '/', '/dev/'])('has no path such as %s', (path) => {
    expect(problemsOf(`serial: [ { name: a, path: "${path}" } ]`)).toEqual([
      expect.stringContaining('serial[0].path: must be an absolute path; its last part may have one *'),
    ]);
  });

  it('has a name and a path of its own', () => {
    expect(problemsOf(`serial: [ { ${PORT} }, { ${PORT} } ]`)).toEqual([
      expect.stringContaining('serial[1].name: is the name of another port'),
      expect.stringContaining('serial[1].path: is the path of another port'),
    ]);
  });

  it('may be a pattern, whose * is {port}, and take its device from the data', () => {
    expect(problemsOf('serial: [ { name: a, path: "/dev/ttyUSB*", device: "{name}-{port}" } ]')).toEqual([]);
    expect(port('deviceFrom: id, device: "bus-{device}"')).toEqual([]);
  });

  it.each([
    ['name: a, path: /dev/ttyUSB0', 'serial[0].path: may be another device'],
    [`${PORT}, ack: "OK\\n"`, 'without dedupe a frame whose acknowledgement is lost'],
  ])('with %s is good, but should be known', (options, warning) => {
    const { warnings } = configOf(`serial: [ { ${options} } ]`);
    expect(warnings.map(({ path, message }) => `${path}: ${message}`)).toEqual([expect.stringContaining(warning)]);
  });
});
