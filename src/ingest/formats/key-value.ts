import type { Refusal } from '../refusal.ts';
import { type Decode, type DecodeOptions, one, type Reading, ReadingBuilder } from './reading.ts';

/** Sticky, and no two neighbours that match the same: each character is looked at a bounded number of times. */
const BETWEEN = /[\s,;&]*/y;
const PAIR = /([^\s,;&=:"]+)(?:=|: ?)(?:"([^"]*)"|([^\s,;&="]*))(?=[\s,;&]|$)/y;

/** One reading: pairs such as `temperature=21.5`, `temperature:21.5` or `mode="eco low"`, with blanks or `, ; &` between. */
export const decodeKeyValue: Decode = (payload, options) => one(readingOf(payload.toString('utf8'), options));

function readingOf(text: string, options: DecodeOptions): Reading | Refusal {
  const builder = new ReadingBuilder(options);
  let at = behind(BETWEEN, text, 0);
  if (at === text.length) return 'empty';
  while (at < text.length) {
    PAIR.lastIndex = at;
    const [, name = '', quoted, plain = ''] = PAIR.exec(text) ?? [];
    if (name === '') return 'not_key_value';
    const refused = quoted === undefined ? builder.addText(name, plain) : builder.add(name, quoted);
    if (refused !== undefined) return refused;
    at = behind(BETWEEN, text, PAIR.lastIndex);
  }
  return builder.build();
}

function behind(pattern: RegExp, text: string, start: number): number {
  pattern.lastIndex = start;
  pattern.exec(text);
  return pattern.lastIndex;
}
