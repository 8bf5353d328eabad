// biome-ignore-all lint/suspicious/noTemplateCurlyInString: these are texts of a configuration file

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { problemsOf } from '../../support/config-text.ts';

const kafka = (options: string) => `uplinks:\n  - { brokers: [ "a:1" ], ${options} }`;

describe('a wrong configuration', () => {
  it('is told everything at once, in the order of the file', () => {
    const text = `gatway: { id: x }
gateway:
  id: "a b"
mqtt:
  maxpacketsize: 64KiB
  listeners:
    - { port: 70000 }
    - { port: 1884, anonymus: true }
buffer: { maxAge: 30, whenFull: drop }
uplinks:
  - name: plant
    type: kafka
  - { name: plant, type: file, streams: [ telemetri ] }
api: { listeners: [ { host: 0.0.0.0 } ] }
`;
    expect(problemsOf(text)).toEqual([
      '1:1: gatway: unknown option, probably gateway',
      '3:7: gateway.id: must be 1 to 128 characters of A-Z a-z 0-9 . _ -, found "a b"',
      '5:3: mqtt.maxpacketsize: unknown option, probably maxPacketSize',
      '7:15: mqtt.listeners[0].port: must be at most 65535, found 70000',
      '8:21: mqtt.listeners[1].anonymus: unknown option, probably anonymous',
      '9:19: buffer.maxAge: must be a duration such as 500ms, 30s, 5m, 2h or 7d, found 30',
      '9:33: buffer.whenFull: must be drop_oldest or block, found drop',
      '11:5: uplinks[0].brokers: is required: a list such as [ "kafka.example.net:9092" ]',
      '13:13: uplinks[1].name: "plant" is the name of another uplink',
      '13:43: uplinks[1].streams[0]: must be telemetry or events or state or responses or gaps, found telemetri, probably telemetry',
      '14:21: api.listeners[0]: needs tokens: set api.tokensFile to a file that holds some (docs/api.md says how to make it), or listen on 127.0.0.1',
    ]);
  });

  it.each([
    ['gateway: 3', '1:10: gateway: must be a mapping, found 3'],
    ['uplinks: { name: x }', '1:10: uplinks: must be a list'],
    ['uplinks:\n  -', '2:4: uplinks[0]: must be a mapping, found nothing'],
    ['- a', '1:1: must be a mapping'],
    ['just text', '1:1: must be a mapping, found just text'],
    ['gateway: { id: 42 }', '1:16: gateway.id: must be text: 1 to 128 characters of A-Z a-z 0-9 . _ -, found 42'],
    [
      'gateway: { dataDir: ~/data }',
      '1:21: gateway.dataDir: must be a path of 1 to 1,024 characters (~ is not replaced), found ~/data',
    ],
    ['mqtt: { maxClients: 1.5 }', '1:21: mqtt.maxClients: must be a whole number, found 1.5'],
    ['mqtt: { maxClients: many }', '1:21: mqtt.maxClients: must be a whole number, found many'],
    ['mqtt: { maxClients: 0 }', '1:21: mqtt.maxClients: must be at least 1, found 0'],
    ['mqtt: { maxPacketSize: 1B }', '1:24: mqtt.maxPacketSize: must be from 1KiB to 64MiB, found 1B'],
    [
      'mqtt: { maxPacketSize: 1MB }',
      '1:24: mqtt.maxPacketSize: must be a size such as 512B, 64KiB, 8MiB or 2GiB, found 1MB',
    ],
    [
      'mqtt: { listeners: [ { host: "10.0.0.256" } ] }',
      '1:30: mqtt.listeners[0].host: must be an IP address or a host name, found "10.0.0.256"',
    ],
    [
      'mqtt: { listeners: [ { anonymous: yes } ] }',
      '1:35: mqtt.listeners[0].anonymous: must be true or false, found yes',
    ],
    [
      'mqtt: { listeners: [ { host: 0.0.0.0, anonymous: true }, {} ] }',
      '1:58: mqtt.listeners[1]: is the address of another listener',
    ],
    [
      'mqtt: { listeners: [ { tls: { certFile: a.pem } } ] }',
      '1:24: mqtt.listeners[0].tls.keyFile: is required: a path of 1 to 1,024 characters (~ is not replaced)',
    ],
    ['mqtt: { listeners: [ { tls: true } ] }', '1:29: mqtt.listeners[0].tls: must be a mapping, found true'],
    [
      'mqtt: { listeners: [ { tls: { certFile: a, keyFile: b, requireClientCertificate: true } } ] }',
      '1:82: mqtt.listeners[0].tls.requireClientCertificate: needs caFile: the authorities of the client certificates',
    ],
    [
      'mqtt: { listeners: [ { anonymous: true, tls: { certFile: a, keyFile: b, caFile: c, requireClientCertificate: true } } ] }',
      '1:35: mqtt.listeners[0].anonymous: contradicts tls.requireClientCertificate: take one of them out',
    ],
    [
      'mqtt: { listeners: [ { allowedOrigins: [ "https://panel.example" ] } ] }',
      '1:40: mqtt.listeners[0].allowedOrigins: is of use only with websocket: true',
    ],
    ...['"*"', '"https://a/b"', '"ftp://a"', '"https://a?b"', '"https://"'].map((origin): [string, string] => [
      `mqtt: { listeners: [ { websocket: true, allowedOrigins: [ ${origin} ] } ] }`,
      `1:59: mqtt.listeners[0].allowedOrigins[0]: must be an origin such as https://panel.example or http://192.168.1.20:3000, found ${origin}`,
    ]),
    [
      'mqtt: { listeners: [ { port: 8080 } ] }\napi: { listeners: [ {} ] }',
      '2:21: api.listeners[0]: is the address of another listener',
    ],
    ['mqtt: { listeners: [ {}, {} ] }', '1:26: mqtt.listeners[1]: is the address of another listener'],
    [
      'api: { listeners: [ {}, { port: 1, anonymous: false } ] }',
      expect.stringMatching(/^1:25: api\.listeners\[1\]: needs tokens: set api\.tokensFile/),
    ],
    [
      'api: { tokensFile: t, listeners: [ { host: 192.0.2.1, anonymous: true } ] }',
      '1:66: api.listeners[0].anonymous: cannot be true but on a loopback address: set api.tokensFile instead',
    ],
    [
      'api: { corsOrigins: [ "https://panel.example.net/" ] }',
      '1:23: api.corsOrigins[0]: must be an origin such as https://panel.example.net, without a path, found "https://panel.example.net/"',
    ],
    [
      'api: { allowedHosts: [ "a b" ] }',
      '1:24: api.allowedHosts[0]: must be a host name or an IP address, found "a b"',
    ],
    ['uplinks: [ { type: kafak } ]', '1:20: uplinks[0].type: must be kafka or file, found kafak, probably kafka'],
    ['uplinks: [ { brokers: [] } ]', '1:23: uplinks[0].brokers: must not be empty'],
    [
      'uplinks: [ { brokers: [ "a" ] } ]',
      '1:25: uplinks[0].brokers[0]: must be host:port such as kafka.example.net:9092, found "a"',
    ],
    [
      'uplinks: [ { brokers: [ "a:0" ] } ]',
      '1:25: uplinks[0].brokers[0]: must be host:port such as kafka.example.net:9092, found "a:0"',
    ],
    [
      'uplinks: [ { type: file, name: "Ä" } ]',
      '1:32: uplinks[0].name: must be 1 to 64 characters of a-z 0-9 _ -, found "Ä"',
    ],
    ['uplinks: [ { type: file }, { type: file } ]', '1:28: uplinks[1].name: "file" is the name of another uplink'],
    ['uplinks: [ { type: file, streams: [ gaps, gaps ] } ]', '1:35: uplinks[0].streams: names a stream twice'],
    [
      'uplinks: [ { type: file, backoff: { initial: 5s, max: 1s } } ]',
      '1:55: uplinks[0].backoff.max: must not be less than backoff.initial',
    ],
    [
      'uplinks:\n  - { type: file, name: a, directory: /x/y }\n  - { type: file, name: b, directory: /x/./y/ }',
      '3:39: uplinks[1].directory: is the directory of another uplink',
    ],
    ['uplinks: [ { type: file, backlogShare: 0 } ]', '1:40: uplinks[0].backlogShare: must be at least 0.05, found 0'],
    [
      'uplinks: [ { type: file, backlogShare: half } ]',
      '1:40: uplinks[0].backlogShare: must be a number from 0.05 to 1, found half',
    ],
    [
      'uplinks: [ { type: file, order: newest } ]',
      '1:33: uplinks[0].order: must be strict or live_first, found newest',
    ],
    [
      'uplinks: [ { type: file, maxBytesPerDay: 5MB } ]',
      '1:42: uplinks[0].maxBytesPerDay: must be a size such as 512B, 64KiB, 8MiB or 2GiB, found 5MB',
    ],
    [
      kafka('createTopics: 3'),
      '2:41: uplinks[0].createTopics: must be true, false or a mapping of partitions and replicationFactor, found 3',
    ],
    [
      kafka('createTopics: { partitions: x }'),
      '2:55: uplinks[0].createTopics.partitions: must be a whole number, found x',
    ],
    [
      kafka('createTopics: { partition: 3 }'),
      '2:43: uplinks[0].createTopics.partition: unknown option, probably partitions',
    ],
    [kafka('delivery: twice'), '2:37: uplinks[0].delivery: must be at_least_once or exactly_once, found twice'],
  ])('%s → %s', (text, problem) => {
    expect(problemsOf(text)).toEqual([problem]);
  });
});

describe('a template', () => {
  it.each([
    [
      'topics: { events: "plant.{gatewy}" }',
      'has an unknown placeholder {gatewy}, probably {gateway} (known here: {gateway}, {stream})',
    ],
    ['topics: { events: "plant.{device}" }', 'has an unknown placeholder {device} (known here: {gateway}, {stream})'],
    ['key: "{topic}"', 'has an unknown placeholder {topic} (known here: {gateway}, {device}, {stream})'],
  ])('%s has placeholders nobody knows', (option, message) => {
    expect(problemsOf(kafka(option))).toEqual([expect.stringContaining(message)]);
  });

  it.each(['events: "a b"', 'events: ""', 'events: ".."', 'events: "x{"', 'events: "{stream"', 'events: "ä"'])(
    'topics: { %s } is no Kafka topic',
    (topic) => {
      expect(problemsOf(kafka(`topics: { ${topic} }`))).toEqual([expect.stringContaining('must be a Kafka topic')]);
    },
  );

  it('may be anything the option can carry', () => {
    expect(problemsOf(kafka('topics: { events: "a_b-c.{gateway}.{stream}" }, key: "{device} {stream} ü"'))).toEqual([]);
  });
});

describe('a YAML mistake', () => {
  it('stands beside keys that are written twice', () => {
    expect(problemsOf('log: { level: info, level: warn }\nmqtt: { a: [ 1 }')).toEqual([
      '1:21: log.level: is written twice',
      expect.stringMatching(/^2:16: YAML: /),
    ]);
  });

  it('is not followed by what the parser stumbles over afterwards', () => {
    expect(problemsOf('- a\nlog: { level: info }\nmqtt: { maxClients: 3 }')).toEqual([
      expect.stringMatching(/^2:1: YAML: /),
    ]);
  });

  it.each([
    ['log: { level: ${LEVEL} }', '1:16: YAML: within { } and [ ] a variable must stand in quotes'],
    ['log:\n\tlevel: info', '2:1: YAML: Tabs are not allowed as indentation'],
    ['log: !secret x', '1:6: YAML: Unresolved tag: !secret'],
    ['a: b\n---\nc: d', '2:1: YAML: one file holds one document, without ---'],
    ['[a]: b', '1:1: YAML: names of options must be text'],
    ['log: *nothing', '1:6: log: no anchor &nothing stands before this alias'],
  ])('%j → %s', (text, problem) => {
    expect(problemsOf(text)).toContain(problem);
  });

  it.each([
    ['an alias that contains itself', 'x: &a [ *a ]'],
    [
      'aliases that multiply',
      `a0: &a0 [ 1 ]\n${[1, 2, 3, 4, 5, 6].map((n) => `a${n}: &a${n} [ ${`*a${n - 1}, `.repeat(10)} ]`).join('\n')}`,
    ],
    ['deep nesting', '[ '.repeat(50_000)],
  ])('like %s is survived', (_, text) => {
    expect(problemsOf(text)).toEqual([expect.stringMatching(/nested too deeply/)]);
  });
});

describe('what is printed of a file', () => {
  it('is one short line without control characters', () => {
    const [problem = ''] = problemsOf(`log: { level: "a\u202e\\e[31m${'x'.repeat(10_000)}" }\n`);
    expect(problem).toMatch(/^1:15: log\.level: must be .*, found "a\\u\{202e\}\\e\[31mx+…$/);
    expect(problem.length).toBeLessThan(200);
  });

  it('cuts and escapes the names of unknown options', () => {
    const [problem = ''] = problemsOf(`"\\e${'x'.repeat(1000)}": 1\n`);
    expect(problem).toMatch(/^1:1: \\u\{1b\}x+…: unknown option/);
    expect(problem.length).toBeLessThan(300);
  });

  it('never holds what a variable put there', () => {
    const problems = problemsOf('log: { level: "${SECRET}" }', { SECRET: 'hunter2' });
    expect(problems).toEqual(['1:15: log.level: must be debug or info or warn or error, found "${SECRET}"']);
  });

  it('says of a variable that is not set only that', () => {
    expect(problemsOf('log: { level: "${LEVEL}" }')).toEqual([
      '1:15: log.level: the environment variable LEVEL is not set: set it, or write ${LEVEL:-default}',
    ]);
  });
});

describe('whatever stands in a file', () => {
  it('is taken or explained, and never breaks the check', () => {
    const sections = ['gateway', 'mqtt', 'buffer', 'uplinks', 'api', 'x'];
    const values = fc.dictionary(
      fc.constantFrom(...sections),
      fc.oneof(
        fc.jsonValue(),
        fc.array(fc.dictionary(fc.constantFrom('name', 'type', 'brokers', 'streams', 'createTopics'), fc.jsonValue())),
        fc.record({
          listeners: fc.oneof(fc.jsonValue(), fc.array(fc.record({ host: fc.jsonValue(), port: fc.jsonValue() }))),
        }),
      ),
    );
    fc.assert(
      fc.property(values, (value) => problemsOf(JSON.stringify(value)).every((problem) => /^\d+:\d+: /.test(problem))),
    );
  });
});
