import type { Refusal } from '../refusal.ts';
import { type Decode, type DecodeOptions, each, type Reading, ReadingBuilder } from './reading.ts';
import { valueAmongOthers } from './scalar.ts';

/** A column of this name is left out. */
const SKIPPED = '_';
const QUOTE = '"';

/** One reading per line, its fields named by `columns`; fields may be quoted (RFC 4180). Blank lines say nothing. */
export const decodeCsv: Decode = (payload, options) => {
  const rows = rowsOf(payload.toString('utf8'), options.separator);
  if (rows === undefined) return { refused: 'invalid_csv' };
  return each(
    rows.filter((row) => row.length > 1 || row[0] !== ''),
    (row) => readingOf(row, options),
  );
};

function readingOf(row: readonly string[], options: DecodeOptions): Reading | Refusal {
  const { columns, decimal } = options;
  if (row.length !== columns.length) return 'wrong_column_count';
  const builder = new ReadingBuilder(options);
  for (const [index, field] of row.entries()) {
    const name = columns[index] ?? SKIPPED;
    const text = decimal === ',' ? field.replace(/^([+-]?\d*),(\d+)$/, '$1.$2') : field;
    const refused = name === SKIPPED ? undefined : builder.add(name, valueAmongOthers(text));
    if (refused !== undefined) return refused;
  }
  return builder.build();
}

/** Undefined when a quoted field does not end, or goes on behind its quote. */
function rowsOf(text: string, separator: string): string[][] | undefined {
  const rows: string[][] = [];
  let row: string[] = [];
  let at = 0;
  while (at <= text.length) {
    const field = fieldAt(text, at, separator);
    if (field === undefined) return undefined;
    row.push(field.text);
    at = field.end + 1;
    if (text[field.end] === separator) continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

interface Field {
  readonly text: string;
  /** Index of the separator or line feed behind it, or of the end. */
  readonly end: number;
}

function fieldAt(text: string, start: number, separator: string): Field | undefined {
  const begin = skipBlanks(text, start, separator);
  if (text[begin] !== QUOTE) {
    let end = begin;
    while (end < text.length && text[end] !== separator && text[end] !== '\n') end += 1;
    return { text: text.slice(begin, end).trim(), end };
  }
  let closing = text.indexOf(QUOTE, begin + 1);
  while (closing >= 0 && text[closing + 1] === QUOTE) closing = text.indexOf(QUOTE, closing + 2);
  if (closing < 0) return undefined;
  const end = skipBlanks(text, closing + 1, separator);
  const isEnd = end === text.length || text[end] === separator || text[end] === '\n';
  return isEnd ? { text: text.slice(begin + 1, closing).replaceAll('""', QUOTE), end } : undefined;
}

function skipBlanks(text: string, start: number, separator: string): number {
  let at = start;
  while ((text[at] === ' ' || text[at] === '\t' || text[at] === '\r') && text[at] !== separator) at += 1;
  return at;
}
