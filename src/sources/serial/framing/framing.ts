import type { Buffer } from 'node:buffer';

/** Why bytes were no frame. */
export const BAD_FRAME_REASONS = ['too_long', 'checksum', 'malformed', 'incomplete', 'noise'] as const;
export type BadFrameReason = (typeof BAD_FRAME_REASONS)[number];

/** What a decoder finds, in the order of the line. The bytes are only lent: whoever keeps them copies them. */
export interface FrameSink {
  /** The payload of a good frame, without what frames it; never empty. */
  good(payload: Buffer): void;
  /** Bytes that were no frame; of many the first ones. */
  bad(reason: BadFrameReason, bytes: Buffer): void;
}

/**
 * How payloads stand on a line. Memory: what one frame may take, once for a decoder, whatever is fed to it. Never
 * throws.
 */
export interface Framing {
  /** Silence after which a frame that was begun will not go on; undefined: it is waited for. Milliseconds. */
  readonly gapMs: number | undefined;
  /** Silence that stands between two frames that are written, where nothing else divides them. Milliseconds. */
  readonly pauseMs?: number | undefined;
  /** For one connection to a port: begins with nothing read. */
  decoder(sink: FrameSink): FrameDecoder;
  /** The bytes that a decoder of the same framing takes for the payload; undefined when there are none. */
  encode(payload: Buffer): Buffer | undefined;
}

export interface FrameDecoder {
  feed(chunk: Buffer): void;
  /** The line was silent for `gapMs`, or was closed, which is no silence. */
  gap(why?: 'closed'): void;
}
