import { Buffer } from 'node:buffer';
import type { Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { SplitFraming } from './split-framing.ts';

const ENDINGS = { lf: '\n', crlf: '\r\n', cr: '\r' } as const;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;

/** Text lines. `lf` also takes those that end in CRLF, and `cr` those that a line feed stands before. */
export function lines({ ending, ...options }: OptionsOf<'lines'>): Framing {
  const delimiter = Buffer.from(ENDINGS[ending]);
  return new SplitFraming({ ...options, delimiter, open: (piece) => trimmed(piece, ending), close: (bytes) => bytes });
}

function trimmed(piece: Buffer, ending: keyof typeof ENDINGS): Buffer {
  if (ending === 'lf' && piece.at(-1) === CARRIAGE_RETURN) return piece.subarray(0, -1);
  if (ending === 'cr' && piece[0] === LINE_FEED) return piece.subarray(1);
  return piece;
}
