import { Buffer } from 'node:buffer';
import { Check, type CheckOptions } from './check.ts';
import type { FrameDecoder, FrameSink, Framing } from './framing.ts';
import { Splitter } from './splitter.ts';

export interface SplitFramingOptions {
  readonly delimiter: Buffer;
  readonly maxFrameBytes: number;
  readonly check?: CheckOptions | undefined;
  /** What a piece stands for; undefined when it stands for nothing. */
  readonly open: (piece: Buffer) => Buffer | undefined;
  /** The piece that stands for the bytes, if any does. */
  readonly close: (bytes: Buffer) => Buffer;
  /** Written before each frame too, so that what garbage began ends there. */
  readonly delimitsBefore?: boolean;
}

/** Frames between delimiters that do not occur within them. */
export class SplitFraming implements Framing {
  readonly gapMs = undefined;
  readonly #options: SplitFramingOptions;
  readonly #check: Check | undefined;

  constructor(options: SplitFramingOptions) {
    this.#options = options;
    this.#check = options.check && new Check(options.check);
  }

  decoder(sink: FrameSink): FrameDecoder {
    const { delimiter, maxFrameBytes } = this.#options;
    const piece = (bytes: Buffer): void => this.#open(bytes, sink);
    return new Splitter({ delimiter, maxBytes: maxFrameBytes - delimiter.length, piece }, sink);
  }

  encode(payload: Buffer): Buffer {
    const { close, delimiter, delimitsBefore = false } = this.#options;
    const piece = close(this.#check?.append(payload) ?? payload);
    return Buffer.concat(delimitsBefore ? [delimiter, piece, delimiter] : [piece, delimiter]);
  }

  #open(piece: Buffer, sink: FrameSink): void {
    const opened = this.#options.open(piece);
    if (opened === undefined) {
      sink.bad('malformed', piece);
      return;
    }
    // As two delimiters side by side: a blank line that ends in CRLF.
    if (opened.length === 0) return;
    const payload = this.#check === undefined ? opened : this.#check.strip(opened);
    if (payload === undefined) sink.bad('checksum', piece);
    else if (payload.length === 0) sink.bad('noise', piece);
    else sink.good(payload);
  }
}
