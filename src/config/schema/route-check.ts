import type { z } from 'zod';
import { placeholdersOf } from '../../core/placeholders.ts';
import { printable } from '../../core/printable.ts';
import { LAYOUT, StructLayout } from '../../core/struct-layout.ts';
import { parseTopicPattern } from '../../core/topic-pattern.ts';
import { nearest } from '../nearest.ts';
import type { Written } from './options.ts';

const TEMPLATES = ['device', 'metric', 'eventType'] as const;
/** The formats that an option belongs to. */
const OF_FORMATS = {
  columns: ['csv', 'struct'],
  separator: ['csv'],
  decimal: ['csv'],
  layout: ['struct'],
  pattern: ['regex'],
} as const;
const FORMAT_OPTIONS = Object.keys(OF_FORMATS) as readonly (keyof typeof OF_FORMATS)[];
const REQUIRED = { csv: ['columns'], struct: ['layout', 'columns'], regex: ['pattern'] } as const;
const EVENT_FORMATS = ['json', 'text', 'raw'];

/** Options of a route that do not fit together. */
export function checkRoute(route: object, context: z.core.$RefinementCtx): void {
  const { topic } = route as Written;
  const pattern = typeof topic === 'string' ? parseTopicPattern(topic) : '';
  checkDecoding(route, context, typeof pattern === 'string' ? undefined : [...pattern.captures.keys()]);
}

/** `captures`: names that templates may hold; undefined when nobody can know. */
export function checkDecoding(
  options: object,
  context: z.core.$RefinementCtx,
  captures: readonly string[] | undefined,
): void {
  const written = options as Written;
  const report = (option: string, message: string) => context.addIssue({ code: 'custom', path: [option], message });
  if (captures !== undefined) for (const option of TEMPLATES) checkPlaceholders(option, written, captures, report);
  const { stream, format } = written;
  if (stream === 'telemetry') checkTelemetry(written, report);
  else if (stream === 'events') checkEvents(written, report);
  else if (stream === 'state') checkState(written, report);
  if (written['zone'] !== undefined && ['text', 'raw', 'senml'].includes(String(format))) {
    report('zone', `does not fit format: ${format}, which has no local times`);
  }
}

type Report = (option: string, message: string) => void;

function checkPlaceholders(
  option: (typeof TEMPLATES)[number],
  written: Written,
  captures: readonly string[],
  report: Report,
): void {
  const { [option]: template, stream, format } = written;
  if (typeof template !== 'string') return;
  const isBase = option === 'device' && stream === 'telemetry' && format === 'senml';
  const known = isBase ? [...captures, 'base'] : captures;
  for (const name of placeholdersOf(template)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const offer = meant === undefined ? '' : `, probably {${meant}}`;
    const all = known.map((placeholder) => `{${placeholder}}`).join(', ') || 'none: the topic captures nothing';
    report(option, `has an unknown placeholder {${printable(name, 40)}}${offer} (known here: ${all})`);
  }
}

function checkTelemetry(written: Written, report: Report): void {
  const { format = 'json', metric, time } = written;
  if (written['eventType'] !== undefined) report('eventType', 'belongs to stream: events');
  if (format === 'text' && metric === undefined) report('metric', 'is required with format: text, to name the value');
  if (format === 'senml' && metric !== undefined)
    report('metric', 'does not fit format: senml, which names its values');
  if (time !== undefined && ['text', 'raw', 'senml'].includes(String(format))) {
    report('time', `does not fit format: ${String(format)}`);
  }
  for (const option of FORMAT_OPTIONS) {
    const formats: readonly unknown[] = OF_FORMATS[option];
    if (!formats.includes(format) && written[option] !== undefined) {
      report(option, `belongs to format: ${formats.join(' or ')}`);
    }
  }
  for (const [kind, options] of Object.entries(REQUIRED)) {
    for (const option of format === kind ? options : []) {
      if (written[option] === undefined) report(option, `is required with format: ${kind}`);
    }
  }
  checkColumns(written, report);
}

function checkColumns({ columns, separator, decimal, layout, time }: Written, report: Report): void {
  if (!Array.isArray(columns)) return;
  const names = columns.filter((name) => name !== '_');
  if (new Set(names).size < names.length) report('columns', 'names a column twice');
  if (names.length === 0) report('columns', 'leaves every column out');
  if (time !== undefined && !columns.includes(time)) report('time', 'is none of the columns');
  const valueCount =
    typeof layout === 'string' && LAYOUT.test(layout) ? new StructLayout(layout).valueCount : undefined;
  if (valueCount !== undefined && valueCount !== columns.length) {
    report('columns', `names ${columns.length} values, and layout has ${valueCount}`);
  }
  if (decimal === ',' && (separator === undefined || separator === ',')) {
    report('decimal', 'cannot be the separator of columns too: set separator');
  }
}

function checkEvents(written: Written, report: Report): void {
  const { eventType, format } = written;
  if (eventType === undefined) report('eventType', 'is required with stream: events');
  if (typeof format === 'string' && !EVENT_FORMATS.includes(format)) {
    report(
      'format',
      'does not fit stream: events, whose payloads are stored as they are: json, text, raw, or left out',
    );
  }
  for (const option of ['metric', 'metrics', ...FORMAT_OPTIONS]) {
    if (written[option] !== undefined) report(option, 'belongs to stream: telemetry');
  }
  if (written['time'] !== undefined && (format === 'text' || format === 'raw')) {
    report('time', `does not fit format: ${format}`);
  }
}

function checkState(written: Written, report: Report): void {
  const { format } = written;
  if (format !== undefined && format !== 'json') report('format', 'does not fit stream: state, which is JSON');
  for (const option of ['eventType', 'metric', 'metrics', 'time', 'zone', ...FORMAT_OPTIONS]) {
    if (written[option] !== undefined) report(option, 'does not fit stream: state, which is stored as it is');
  }
}
