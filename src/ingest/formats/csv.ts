import type { MetricValue } from '../../core/views.ts';
import type { Refusal } from '../refusal.ts';
import { type Decode, type DecodeOptions, each, type Reading, ReadingBuilder } from './reading.ts';
import { valueAmongOthers } from './scalar.ts';

/** A column of this name is left out. */
export const SKIPPED = '_';
const QUOTE = '"';

/** One reading per line, its fields named by `columns`; those in quotes (RFC 4180) are text. Blank lines say nothing. */
export const decodeCsv: Decode = (payload, options) => {
  const rows = rowsOf(payload.toString('utf8'), options.separator);
  if (rows === undefined) return { refused: 'invalid_csv' };
  return each(
    rows.filter((row) => row.length > 1 || row[0]?.text !== ''),
    (row) => readingOf(row, options),
  );
};

function readingOf(row: readonly Field[], options: DecodeOptions): Reading | Refusal {
  const { columns } = options;
  if (row.length !== columns.length) return 'wrong_column_count';
  const builder = new ReadingBuilder(options);
  for (const [index, field] of row.entries()) {
    const name = columns[index] ?? SKIPPED;
    if (name === SKIPPED) continue;
    const { text, isQuoted } = field;
    const refused = isQuoted ? builder.add(name, text) : builder.addText(name, text, valueIn(text, options));
    if (refused !== undefined) return refused;
  }
  return builder.build();
}

function valueIn(text: string, { decimal }: DecodeOptions): MetricValue {
  return valueAmongOthers(decimal === ',' ? text.replace(/^([+-]?\d*),(\d+)$/, '$1.$2') : text);
}

/** Undefined when a quoted field does not end, or goes on behind its quote. */
function rowsOf(text: string, separator: string): Field[][] | undefined {
  const rows: Field[][] = [];
  let row: Field[] = [];
  let at = 0;
  while (at <= text.length) {
    const field = fieldAt(text, at, separator);
    if (field === undefined) return undefined;
    row.push(field);
    at = field.end + 1;
    if (text[field.end] === separator) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

interface Field {
  readonly text: string;
  readonly isQuoted: boolean;
  /** Index of the separator or line feed behind it, or of the end. */
  readonly end: number;
}

function fieldAt(text: string, start: number, separator: string): Field | undefined {
  const begin = skipBlanks(text, start, separator);
  if (text[begin] !== QUOTE) {
    let end = begin;
    while (end < text.length && text[end] !== separator && text[end] !== '\n') end += 1;
    return { text: text.slice(begin, end).trim(), isQuoted: false, end };
  }
  let closing = text.indexOf(QUOTE, begin + 1);
  while (closing >= 0 && text[closing + 1] === QUOTE) closing = text.indexOf(QUOTE, closing + 2);
  if (closing < 0) return undefined;
  const end = skipBlanks(text, closing + 1, separator);
  const isEnd = end === text.length || text[end] === separator || text[end] === '\n';
  if (!isEnd) return undefined;
  return { text: text.slice(begin + 1, closing).replaceAll('""', QUOTE), isQuoted: true, end };
}

function skipBlanks(text: string, start: number, separator: string): number {
  let at = start;
  while ((text[at] === ' ' || text[at] === '\t' || text[at] === '\r') && text[at] !== separator) at += 1;
  return at;
}
