import type { Buffer } from 'node:buffer';
import type { FrameDecoder, FrameSink } from './framing.ts';
import { Window } from './window.ts';

export interface SplitterOptions {
  /** What stands between two pieces; at least one byte. */
  readonly delimiter: Buffer;
  /** Of a piece, without its delimiter. */
  readonly maxBytes: number;
  /** Called with each piece that is not empty. */
  readonly piece: (bytes: Buffer, sink: FrameSink) => void;
}

/** Cuts a line where delimiters stand. A piece that is too long is bad as a whole, and the one behind it is not. */
export class Splitter implements FrameDecoder {
  readonly #options: SplitterOptions;
  readonly #sink: FrameSink;
  readonly #window = new Window();
  /** Of the window; no delimiter begins there. */
  #searchedBytes = 0;
  /** Within a piece that is too long, and told. */
  #skips = false;

  constructor(options: SplitterOptions, sink: FrameSink) {
    this.#options = options;
    this.#sink = sink;
  }

  feed(chunk: Buffer): void {
    const { delimiter } = this.#options;
    this.#window.append(chunk);
    const { bytes } = this.#window;
    let from = 0;
    for (let at = bytes.indexOf(delimiter, this.#searchedBytes); at !== -1; at = bytes.indexOf(delimiter, from)) {
      this.#end(bytes.subarray(from, at));
      from = at + delimiter.length;
    }
    this.#window.drop(from);
    this.#keep();
  }

  /** What was begun is no frame without its end. */
  gap(): void {
    const rest = this.#window.bytes;
    if (rest.length > 0 && !this.#skips) this.#sink.bad('incomplete', rest);
    this.#window.drop(rest.length);
    this.#searchedBytes = 0;
    this.#skips = false;
  }

  #end(piece: Buffer): void {
    const wasSkipped = this.#skips;
    this.#skips = false;
    if (wasSkipped || piece.length === 0) return;
    if (piece.length > this.#options.maxBytes) this.#sink.bad('too_long', piece);
    else this.#options.piece(piece, this.#sink);
  }

  /** The last bytes may be the beginning of a delimiter. */
  #keep(): void {
    const { maxBytes, delimiter } = this.#options;
    const undecided = delimiter.length - 1;
    const rest = this.#window.bytes;
    if (!this.#skips && rest.length > maxBytes + undecided) {
      this.#sink.bad('too_long', rest);
      this.#skips = true;
    }
    if (this.#skips) this.#window.drop(Math.max(0, rest.length - undecided));
    this.#searchedBytes = Math.max(0, this.#window.length - undecided);
  }
}
