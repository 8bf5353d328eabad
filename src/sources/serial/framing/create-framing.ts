import { Buffer } from 'node:buffer';
import { cobs } from './cobs.ts';
import { delimiter } from './delimiter.ts';
import { fixed } from './fixed.ts';
import type { Framing } from './framing.ts';
import { interByteTimeout } from './inter-byte-timeout.ts';
import { lengthPrefixed } from './length-prefixed.ts';
import { lines } from './lines.ts';
import { nmea0183 } from './nmea0183.ts';
import type { FramingKind, FramingOptions, OptionsOf } from './options.ts';
import { slip } from './slip.ts';
import { startEnd } from './start-end.ts';

const FRAMINGS: { readonly [Kind in FramingKind]: (options: OptionsOf<Kind>) => Framing } = {
  lines,
  delimiter,
  cobs,
  slip,
  nmea0183,
  fixed,
  'length-prefixed': lengthPrefixed,
  'start-end': startEnd,
  'inter-byte-timeout': interByteTimeout,
};

export function createFraming<Kind extends FramingKind>(options: FramingOptions & { readonly kind: Kind }): Framing {
  const create = FRAMINGS[options.kind] as (options: FramingOptions) => Framing;
  const framing = create(options);
  return {
    gapMs: framing.gapMs,
    pauseMs: framing.pauseMs,
    decoder: (sink) => framing.decoder(sink),
    encode: (payload) => proved(framing, payload),
  };
}

/** Payloads may look like marks, or make some where they meet them: only what is read back is written. */
function proved(framing: Framing, payload: Buffer): Buffer | undefined {
  const frame = framing.encode(payload);
  if (frame === undefined) return undefined;
  const heard: (Buffer | undefined)[] = [];
  const decoder = framing.decoder({
    good: (found) => heard.push(Buffer.from(found)),
    bad: () => heard.push(undefined),
  });
  decoder.feed(frame);
  decoder.gap();
  return heard.length === 1 && heard[0]?.equals(payload) ? frame : undefined;
}
