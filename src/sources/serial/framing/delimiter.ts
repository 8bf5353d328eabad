import type { Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { SplitFraming } from './split-framing.ts';

/** Frames that end in bytes which do not occur within them, nor where these begin. */
export function delimiter(options: OptionsOf<'delimiter'>): Framing {
  return new SplitFraming({ ...options, open: (piece) => piece, close: (bytes) => bytes });
}
