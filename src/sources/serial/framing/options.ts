import type { Buffer } from 'node:buffer';
import type { CheckOptions } from './check.ts';

interface Bounded {
  /** Of a frame on the line, what frames it included. */
  readonly maxFrameBytes: number;
}

interface Checked extends Bounded {
  /** Undefined: whatever has the form of a frame is good. */
  readonly check?: CheckOptions | undefined;
}

interface Started {
  /** What every frame begins with; not a part of the payload. */
  readonly start: Buffer;
}

interface Gapped {
  /** Silence behind which a frame does not go on; 0: it is waited for. Milliseconds. */
  readonly gapMs: number;
}

export type FramingOptions =
  | (Checked & { readonly kind: 'lines'; readonly ending: 'lf' | 'crlf' | 'cr' })
  | (Checked & { readonly kind: 'delimiter'; readonly delimiter: Buffer })
  | (Checked & { readonly kind: 'cobs' })
  | (Checked & { readonly kind: 'slip' })
  | (Bounded & { readonly kind: 'nmea0183' })
  | (Checked & Gapped & Started & { readonly kind: 'fixed'; readonly length: number })
  | (Checked & Gapped & LengthPrefix & { readonly kind: 'length-prefixed' })
  | (Checked & Gapped & Started & { readonly kind: 'start-end'; readonly end: Buffer })
  | (Checked & Gapped & { readonly kind: 'inter-byte-timeout' });

export type FramingKind = FramingOptions['kind'];
export type OptionsOf<Kind extends FramingKind> = Extract<FramingOptions, { readonly kind: Kind }>;

export interface LengthPrefix extends Started {
  /** Bytes between `start` and the length; not a part of the payload. */
  readonly lengthOffset: number;
  readonly lengthWidth: 1 | 2 | 4;
  readonly lengthOrder: 'big' | 'little';
  /** What the length counts: what follows it, the same and itself, or the whole frame. The checksum is a part of each. */
  readonly lengthCovers: 'rest' | 'itself' | 'all';
}
