import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { ConfigError, problemLine } from '../../../src/config/problem.ts';
import { configOf, problemsOf } from '../../support/config-text.ts';

const route = (options: string) => problemsOf(`mqtt:\n  routes:\n    - { topic: a/+device/#rest, ${options} }`);

describe('a route', () => {
  it('needs its topic alone', () => {
    expect(configOf('mqtt: { routes: [ { topic: a/+device } ] }').config.mqtt.routes).toEqual([
      { topic: 'a/+device', stream: 'telemetry', device: '{device}', zone: 'UTC' },
    ]);
  });

  it('takes the zone of all when it has none', () => {
    const { routes } = configOf(
      'mqtt: { zone: Europe/Berlin, routes: [ { topic: a/+device }, { topic: b/+device, zone: Asia/Tokyo } ] }',
    ).config.mqtt;
    expect(routes.map(({ zone }) => zone)).toEqual(['Europe/Berlin', 'Asia/Tokyo']);
  });

  it.each([
    ['device: "{dvice}"', '{dvice}, probably {device} (known here: {device}, {rest})'],
    ['metric: "{x}"', 'unknown placeholder {x} (known here'],
    ['stream: events, eventType: "{x}"', 'routes[0].eventType: has an unknown placeholder {x}'],
    ['device: "{base}"', 'unknown placeholder {base}'],
    ['zone: Europe/Berln', 'routes[0].zone: must be a time zone such as Europe/Berlin, found Europe/Berln'],
    ['zone: Tokyo', 'routes[0].zone: must be a time zone such as Asia/Tokyo, found Tokyo'],
    [
      'format: jsn',
      'routes[0].format: must be json or text or csv or key=value or regex or cbor or struct or senml or raw, found jsn',
    ],
    ['strem: events', 'routes[0].strem: unknown option, probably stream'],
    ['stream: gaps', 'routes[0].stream: must be telemetry or events or state, found gaps'],
    ['format: text', 'routes[0].metric: is required with format: text'],
    ['format: csv', 'routes[0].columns: is required with format: csv'],
    ['columns: [ a ]', 'routes[0].columns: belongs to format: csv or struct'],
    ['separator: ";"', 'routes[0].separator: belongs to format: csv'],
    ['format: csv, columns: [ a, a ]', 'names a column twice'],
    ['format: csv, columns: [ _ ]', 'leaves every column out'],
    ['format: csv, columns: [ a ], time: b', 'routes[0].time: is none of the columns'],
    ['format: csv, columns: [ a ], decimal: ","', 'cannot be the separator of columns too'],
    ['format: struct, columns: [ a ]', 'routes[0].layout: is required with format: struct'],
    ['format: struct, layout: "<h"', 'routes[0].columns: is required with format: struct'],
    ['format: struct, columns: [ a ], layout: "h"', 'routes[0].layout: must be a layout such as "<hI3f"'],
    ['format: struct, columns: [ a ], layout: "<h2xh"', 'names 1 values, and layout has 2'],
    ['format: struct, columns: [ a ], layout: "<h", separator: ";"', 'routes[0].separator: belongs to format: csv'],
    ['layout: "<h"', 'routes[0].layout: belongs to format: struct'],
    ['format: regex', 'routes[0].pattern: is required with format: regex'],
    ['format: regex, pattern: "[0-9]+"', 'has no named group'],
    ['format: regex, pattern: "(?<a>x"', 'is no expression of RE2: error parsing regexp: missing closing )'],
    ['format: regex, pattern: 5', 'routes[0].pattern: must be text: an expression'],
    ['pattern: "(?<a>x)"', 'routes[0].pattern: belongs to format: regex'],
    ['format: csv, columns: [ a ], separator: ab', 'must be one character'],
    ['format: senml, metric: x', 'routes[0].metric: does not fit format: senml'],
    ['format: senml, time: x', 'routes[0].time: does not fit format: senml'],
    ['format: raw, zone: UTC', 'routes[0].zone: does not fit format: raw'],
    ['eventType: x', 'routes[0].eventType: belongs to stream: events'],
    ['stream: events', 'routes[0].eventType: is required with stream: events'],
    ['stream: events, eventType: x, format: cbor', 'routes[0].format: does not fit stream: events'],
    ['stream: events, eventType: x, metric: y', 'routes[0].metric: belongs to stream: telemetry'],
    ['stream: state, format: text', 'routes[0].format: does not fit stream: state'],
    ['stream: state, time: x', 'routes[0].time: does not fit stream: state'],
    ['metrics: { a: 5 }', 'routes[0].metrics.a: must be a name, false'],
    ['metrics: { a: { nam: b } }', 'routes[0].metrics.a.nam: unknown option, probably name'],
  ])('with %s is a problem', (options, problem) => {
    const problems = route(options);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(/^3:\d+: mqtt\.routes\[0\]/);
    expect(problems[0]).toContain(problem);
  });

  it.each([
    'devices/+device/messages/events',
    'devices/+device/telemetry/+a/+b',
    'devices/+device/state',
    'devices/+device/#rest',
    '#rest',
  ])('may ask for what the default namespace does not know: %s', (topic) => {
    expect(problemsOf(`mqtt: { routes: [ { topic: "${topic}", device: x } ] }`)).toEqual([]);
  });

  it.each([
    ['', 'is required'],
    ['topic: "a/#/b"', 'has # before its end'],
    ['topic: "$SYS/+device"', 'begins with $'],
    ['topic: "devices/+device/telemetry"', 'is of the default namespace'],
    ['topic: "devices/+device/state/reported"', 'is of the default namespace'],
    ['topic: "devices/+device/status"', 'is of the default namespace'],
    ['topic: "devices/+device/commands/#"', 'is of the default namespace'],
    ['topic: "devices/x/events/#", device: x', 'is of the default namespace'],
  ])('with the topic %j is a problem', (options, problem) => {
    const [found, ...more] = problemsOf(`mqtt: { routes: [ { ${options} } ] }`);
    expect(more).toEqual([]);
    expect(found).toContain(problem);
  });

  it('is told everything at once', () => {
    expect(route('device: "{x}", format: csv, zone: Nowhere, metric: "{y}"')).toHaveLength(4);
  });
});

describe('grants', () => {
  it('name devices and filters', () => {
    const { grants } = configOf('mqtt: { grants: [ { device: "tasmota-*", publish: [ "tele/{device}/#" ] } ] }').config
      .mqtt;
    expect(grants).toEqual([{ device: 'tasmota-*', publish: ['tele/{device}/#'], subscribe: [] }]);
  });

  it.each([
    ['device: "a b"', 'must be a device id'],
    ['device: a, publish: [ "a/#/b" ]', 'publish[0]: has # before its end'],
    ['device: a, publish: [ "a/{x}" ]', 'publish[0]: has an unknown placeholder'],
    ['device: a, publish: [ "a/+x" ]', 'publish[0]: has names for its wildcards'],
    ['device: a, subscribe: [ "$SYS/#" ]', 'subscribe[0]: begins with $'],
    ['publish: [ a ]', 'grants[0].device: is required: a device id'],
  ])('with %s are a problem', (options, problem) => {
    const [found, ...more] = problemsOf(`mqtt: { grants: [ { ${options} } ] }`);
    expect(more).toEqual([]);
    expect(found).toContain(problem);
  });
});

describe('included routes', () => {
  let directory: string;
  const file = () => join(directory, 'sluice.yaml');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'sluice-routes-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  const load = (text: string) => {
    writeFileSync(file(), text);
    return loadConfig({ file: file(), env: {} }).config.mqtt.routes;
  };
  const problems = (text: string): readonly string[] => {
    try {
      load(text);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.problems.map((problem) => problemLine(error.file, problem).replaceAll(`${directory}/`, ''));
    }
  };

  it('stand behind those of the configuration, in the order of the files', () => {
    writeFileSync(join(directory, 'b.yaml'), 'routes: [ { topic: b/+device } ]');
    writeFileSync(join(directory, 'c.yaml'), 'routes: [ { topic: c/+device, zone: Asia/Tokyo } ]');
    const routes = load(
      'mqtt: { zone: Europe/Berlin, includeRoutes: [ ./b.yaml, c.yaml ], routes: [ { topic: a/+device } ] }',
    );
    expect(routes.map(({ topic, zone }) => [topic, zone])).toEqual([
      ['a/+device', 'Europe/Berlin'],
      ['b/+device', 'Europe/Berlin'],
      ['c/+device', 'Asia/Tokyo'],
    ]);
  });

  it('come with Sluice under a name', () => {
    expect(load('mqtt: { includeRoutes: [ tasmota ] }').map(({ topic }) => topic)).toContain('tele/+device/SENSOR');
  });

  it('are told what is wrong in their own file', () => {
    writeFileSync(join(directory, 'b.yaml'), 'routes:\n  - { topic: b/+x }\n  - { topik: c }\n');
    expect(problems('mqtt: { includeRoutes: [ ./b.yaml ] }')).toEqual([
      'b.yaml:2:5: routes[0].device: has an unknown placeholder {device} (known here: {x})',
      'b.yaml:3:5: routes[1].topic: is required: a topic filter such as "tele/+device/SENSOR"',
      'b.yaml:3:7: routes[1].topik: unknown option, probably topic',
    ]);
  });

  it('are told so whatever is wrong beside them', () => {
    writeFileSync(join(directory, 'b.yaml'), 'routes: [ { topic: b/+x } ]');
    expect(problems('mqtt: { includeRoutes: [ ./b.yaml ], maxClient: 5 }').map((text) => text.split(':')[0])).toEqual([
      'sluice.yaml',
      'b.yaml',
    ]);
  });

  it('that are not there are named, with what was probably meant', () => {
    expect(problems('mqtt: { includeRoutes: [ ./none.yaml ] }')).toEqual([
      'none.yaml: does not exist: make it, or take it out of includeRoutes',
    ]);
    const [found] = problems('mqtt: { includeRoutes: [ tasmotta ] }');
    expect(found).toMatch(
      /config\/routes\/tasmotta\.yaml: does not exist: probably tasmota is meant; .* \.\/tasmotta\.yaml$/,
    );
  });
});
