import type { z } from 'zod';
import { placeholdersOf } from '../../core/placeholders.ts';
import { printable } from '../../core/printable.ts';
import { parseTopicPattern } from '../../core/topic-pattern.ts';
import { nearest } from '../nearest.ts';

/** What a file may say; anything may stand anywhere, because this check runs beside all others. */
type Written = Readonly<Record<string, unknown>>;

const TEMPLATES = ['device', 'metric', 'eventType'] as const;
const CSV_OPTIONS = ['columns', 'separator', 'decimal'] as const;
const EVENT_FORMATS = ['json', 'text', 'raw'];

/** Options of a route that do not fit together. */
export function checkRoute(route: object, context: z.core.$RefinementCtx): void {
  const written = route as Written;
  const report = (option: string, message: string) => context.addIssue({ code: 'custom', path: [option], message });
  for (const option of TEMPLATES) checkPlaceholders(option, written, report);
  const { stream, format } = written;
  if (stream === 'telemetry') checkTelemetry(written, report);
  else if (stream === 'events') checkEvents(written, report);
  else if (stream === 'state') checkState(written, report);
  if (written['zone'] !== undefined && ['text', 'raw', 'senml'].includes(String(format))) {
    report('zone', `does not fit format: ${format}, which has no local times`);
  }
}

type Report = (option: string, message: string) => void;

function checkPlaceholders(option: (typeof TEMPLATES)[number], written: Written, report: Report): void {
  const { topic, [option]: template, stream, format } = written;
  const pattern = typeof topic === 'string' ? parseTopicPattern(topic) : '';
  if (typeof template !== 'string' || typeof pattern === 'string') return;
  const known = [...pattern.captures.keys()];
  if (option === 'device' && stream === 'telemetry' && format === 'senml') known.push('base');
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
  if (format === 'csv' && written['columns'] === undefined) report('columns', 'is required with format: csv');
  for (const option of CSV_OPTIONS) {
    if (format !== 'csv' && written[option] !== undefined) report(option, 'belongs to format: csv');
  }
  checkColumns(written, report);
}

function checkColumns({ format, columns, separator, decimal, time }: Written, report: Report): void {
  if (format !== 'csv' || !Array.isArray(columns)) return;
  const names = columns.filter((name) => name !== '_');
  if (new Set(names).size < names.length) report('columns', 'names a column twice');
  if (names.length === 0) report('columns', 'leaves every column out');
  if (time !== undefined && !columns.includes(time)) report('time', 'is none of the columns');
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
  for (const option of ['metric', 'metrics', ...CSV_OPTIONS]) {
    if (written[option] !== undefined) report(option, 'belongs to stream: telemetry');
  }
  if (written['time'] !== undefined && (format === 'text' || format === 'raw')) {
    report('time', `does not fit format: ${format}`);
  }
}

function checkState(written: Written, report: Report): void {
  const { format } = written;
  if (format !== undefined && format !== 'json') report('format', 'does not fit stream: state, which is JSON');
  for (const option of ['eventType', 'metric', 'metrics', 'time', 'zone', ...CSV_OPTIONS]) {
    if (written[option] !== undefined) report(option, 'does not fit stream: state, which is stored as it is');
  }
}
