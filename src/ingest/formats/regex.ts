import type { Refusal } from '../refusal.ts';
import { type Decode, type DecodeOptions, one, type Reading, ReadingBuilder } from './reading.ts';

/** One reading: the named groups of the first place where the expression matches. */
export const decodeRegex: Decode = (payload, options) => one(readingOf(payload.toString('utf8'), options));

function readingOf(text: string, options: DecodeOptions): Reading | Refusal {
  if (text.trim() === '') return 'empty';
  const found = options.pattern?.find(text);
  if (found === undefined) return 'no_match';
  const builder = new ReadingBuilder(options);
  for (const [name, part] of found) {
    const refused = part === null ? undefined : builder.addText(name, part.trim());
    if (refused !== undefined) return refused;
  }
  return builder.build();
}
