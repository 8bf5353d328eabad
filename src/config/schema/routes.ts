import { z } from 'zod';
import { isBrokerTopic, isDeviceTopic } from '../../core/device-topic.ts';
import { messageOf } from '../../core/errors.ts';
import { FORMATS } from '../../core/format.ts';
import { printable } from '../../core/printable.ts';
import { ROUTED_STREAMS } from '../../core/route.ts';
import { LAYOUT } from '../../core/struct-layout.ts';
import { TextPattern } from '../../core/text-pattern.ts';
import { parseTopicPattern } from '../../core/topic-pattern.ts';
import { nearest } from '../nearest.ts';
import { KAFKA_TOPIC_TYPE, kafkaTopic } from './kafka.ts';
import { ANY_MAPPING, choice, section, text } from './options.ts';
import { checkRoute } from './route-check.ts';

/** Not `\p{Cc}`: editors that check by the schema do not all know it. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is kept out
export const NAME = { pattern: /^[^\x00-\x1f\x7f-\x9f]{1,128}$/, rule: '1 to 128 printable characters' };
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is kept out
export const UNIT = { pattern: /^[^\x00-\x1f\x7f-\x9f]{1,32}$/, rule: '1 to 32 printable characters' };
const SEPARATOR = { pattern: /^[^\r\n"]$/, rule: 'one character, such as ";" or "\\t"' };
const FORMAT_NAMES = FORMATS.map((format) => `\`${format}\``).join(' or ');

const topic = z
  .string({
    error: ({ input }) =>
      input === undefined ? 'is required: a topic filter such as "tele/+device/SENSOR"' : undefined,
  })
  .superRefine((filter, context) => {
    const pattern = parseTopicPattern(filter);
    if (typeof pattern === 'string') context.addIssue({ code: 'custom', message: pattern });
    else if (filter.startsWith('$'))
      context.addIssue({ code: 'custom', message: 'begins with $: that is the broker’s own' });
    else if (isNative(pattern.filter)) {
      context.addIssue({
        code: 'custom',
        message: 'is of the default namespace, which comes first: no route is asked',
      });
    }
  })
  .meta({
    description: 'Messages that the route takes: a topic filter. `+name` captures one level, `#name` the rest.',
    'x-type': 'topic filter',
  });

/** Whether all topics of the filter are ones that the default namespace knows, whatever the device. */
function isNative(filter: string): boolean {
  return isDeviceTopic(filter) || isBrokerTopic(filter);
}

/** Text with the names of what is captured in braces. */
export function template(description: string) {
  return (
    z
      .string({ error: 'must be text with the names of captures in braces' })
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is kept out
      .regex(/^[^\x00-\x1f\x7f-\x9f]{1,256}$/, 'must be 1 to 256 printable characters')
      .meta({ description, 'x-type': 'template of the captures' })
  );
}

/** An IANA time zone. */
export function zone(description: string) {
  return z
    .string({ error: 'must be text: a time zone such as Europe/Berlin' })
    .superRefine((name, context) => {
      if (!isZone(name)) context.addIssue({ code: 'custom', message: unknownZone(name) });
    })
    .meta({ description, 'x-type': 'time zone such as Europe/Berlin' });
}

function isZone(name: string): boolean {
  try {
    return name !== '' && new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== '';
  } catch {
    return false;
  }
}

/** Names the zone that was probably meant; never what the file says, which a variable may have put there. */
function unknownZone(name: string): string {
  const known = Intl.supportedValuesOf('timeZone');
  const meant = known.find((zone) => zone.endsWith(`/${name}`)) ?? nearest(name, known);
  return `must be a time zone such as ${meant ?? 'Europe/Berlin'}`;
}

const rule = z.union(
  [
    z.literal(false),
    text(NAME),
    section({
      name: text(NAME).optional(),
      scale: z.number().optional(),
      offset: z.number().optional(),
      unit: text(UNIT).optional(),
    }),
  ],
  { error: 'must be a name, false (leave it out), or a mapping of name, scale, offset and unit' },
);

const metrics = z.record(z.string(), rule, { error: 'must be a mapping of metrics' }).optional().meta({
  description:
    'What becomes of a metric: another name; `false`: it is left out; `{ name, scale, offset, unit }`: its value is multiplied by `scale`, then `offset` is added; `unit` is shown by the API.',
  'x-type': 'mapping of names',
});

/** How a payload becomes records, whatever source it comes from. */
export const DECODING = {
  metric: template(
    'Name of a payload that is one value; of several it stands before their names, with a dot.',
  ).optional(),
  eventType: template('With `stream: events`: their type.').optional(),
  kafkaTopic: kafkaTopic().optional().meta({
    description: 'Where Kafka uplinks send the records; when left out: to the topic of the stream (`topics`).',
    'x-type': KAFKA_TOPIC_TYPE,
  }),
  format: z.enum(FORMATS).optional().meta({
    description: 'How payloads are written. When left out: JSON; events may be JSON or text.',
    'x-type': FORMAT_NAMES,
  }),
  columns: z.array(text(NAME)).min(1).max(1000).optional().meta({
    description: 'With `format: csv` and `struct`: names of the columns, or values; `_` leaves one out.',
    'x-type': 'list of names',
  }),
  layout: text({ pattern: LAYOUT, rule: 'a layout such as "<hI3f": < or >, then letters of xsbB?hHiIlLqQefd' })
    .optional()
    .meta({
      description:
        "With `format: struct`: how the values stand in the bytes, as Python's struct module writes it. `<`: the lowest byte first, `>`: the highest.",
      'x-type': 'layout',
    }),
  pattern: z.string({ error: 'must be text: an expression' }).max(1024).superRefine(checkPattern).optional().meta({
    description:
      'With `format: regex`: an expression in the syntax of RE2; its named groups, `(?<name>…)`, are the metrics.',
    'x-type': 'expression with named groups',
  }),
  separator: text(SEPARATOR)
    .optional()
    .meta({ description: 'With `format: csv`: what separates columns; `,` when left out.', 'x-type': 'one character' }),
  decimal: z
    .enum(['.', ','])
    .optional()
    .meta({ description: 'With `format: csv`: the decimal separator; `.` when left out.', 'x-type': '`.` or `,`' }),
  time: text(NAME).optional().meta({
    description:
      'Name, as the payload has it, of the value that is the time of observation (nested: `sys.time`); `ts` when left out.',
    'x-type': 'name',
  }),
  zone: zone('Where times without an offset are at home; `mqtt.zone` when left out.').optional(),
  metrics,
};

/** One route. Options that a route has no use for are problems, so that no typing mistake stays unseen. */
export const route = section({
  topic,
  stream: choice(ROUTED_STREAMS, 'telemetry', 'What the messages are.'),
  device: template(
    'Whose they are; the id is made of it, `Küche Lampe` becomes `Kueche_Lampe`. `{base}`: the base name of SenML.',
  ).prefault('{device}'),
  ...DECODING,
}).superRefine(checkRoute, ANY_MAPPING);

function checkPattern(expression: string, context: z.core.$RefinementCtx<string>): void {
  const problem = patternProblem(expression);
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
}

function patternProblem(expression: string): string | undefined {
  try {
    const { names } = new TextPattern(expression);
    return names.length === 0 ? 'has no named group, such as (?<temperature>[0-9.]+)' : undefined;
  } catch (thrown) {
    return `is no expression of RE2: ${printable(messageOf(thrown), 200)}`;
  }
}

/** A file of `includeRoutes`. */
export const routesFile = section({ routes: z.array(route).max(1000) });

export const routes = z
  .array(route)
  .max(1000)
  .prefault([])
  .meta({
    description:
      'How messages of foreign firmware become records; the first route that fits takes a message. See docs/formats.md.',
    'x-sample': [
      {
        topic: 'tele/+device/SENSOR',
        stream: 'telemetry',
        device: '{device}',
        time: 'Time',
        zone: 'Europe/Berlin',
        metrics: { 'AM2301.Temperature': 'temperature' },
      },
      { topic: 'plant/+line/+device/#metric', device: '{line}-{device}', metric: '{metric}', format: 'text' },
      {
        topic: 'meters/+device',
        format: 'csv',
        columns: ['time', 'power'],
        separator: ';',
        decimal: ',',
        time: 'time',
      },
      { topic: 'scales/+device', format: 'regex', pattern: '^(?<state>ST|US),(?<weight>[-+0-9.]+)kg$' },
      { topic: 'nodes/+device', format: 'struct', layout: '<Hhf', columns: ['n', 'temperature', 'battery'] },
      { topic: 'doors/+device/+what', stream: 'events', eventType: '{what}', kafkaTopic: 'doors.{gateway}' },
    ],
  });

export const includeRoutes = z
  .array(text({ pattern: /^[^\0~][^\0]{0,1023}$/, rule: 'the name of a ready route or a path' }))
  .max(32)
  .prefault([])
  .meta({
    description:
      'Files of further routes, behind `routes`: `tasmota`, `zigbee2mqtt`, `shelly`, `esphome`, `openmqttgateway`, or paths of own ones (`./plant.yaml`).',
    'x-type': 'list of names and paths',
  });
