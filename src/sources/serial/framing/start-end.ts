import { Buffer } from 'node:buffer';
import type { Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { ScanFraming } from './scan-framing.ts';

/** Frames between a beginning and an end that occur nowhere else, though one byte may be a part of both. */
export function startEnd({ end, ...options }: OptionsOf<'start-end'>): Framing {
  const { start } = options;
  return new ScanFraming({
    ...options,
    extent: (bytes, seenCount) => {
      // What was seen already may end in the beginning of a mark.
      const fresh = seenCount - end.length + 1;
      const at = bytes.indexOf(end, Math.max(start.length, fresh));
      // One that was cut off stands before, unless the end, or one that may come, begins within what begins anew.
      const last = (at === -1 ? bytes.length - end.length + 1 : at) - start.length;
      const anew = lastIn(bytes, start, { from: Math.max(1, fresh - start.length + 1), last });
      if (anew > 0) return { kind: 'bad', reason: 'malformed', byteCount: anew };
      return at === -1 ? { kind: 'begun' } : { kind: 'whole', byteCount: at + end.length, from: start.length, to: at };
    },
    wrap: (body) => Buffer.concat([start, body, end]),
  });
}

interface Range {
  readonly from: number;
  readonly last: number;
}

/** Where the last one within the range begins; 0 when none does. */
function lastIn(bytes: Buffer, mark: Buffer, { from, last }: Range): number {
  const found = last < from ? -1 : bytes.subarray(from).lastIndexOf(mark, last - from);
  return found === -1 ? 0 : from + found;
}
