import type { Buffer } from 'node:buffer';
import type { BadFrameReason, FrameDecoder, FrameSink } from './framing.ts';
import { Window } from './window.ts';

const MAX_BAD_BYTES = 1024;

/** What stands at the beginning of the bytes. */
export type Sight =
  | { readonly kind: 'frame'; readonly byteCount: number; readonly payload: Buffer }
  /** May become a frame. */
  | { readonly kind: 'begun' }
  /**
   * No frame; `byteCount`: none begins within so many bytes either, at least 1. `frameBytes`: it has the form of a
   * frame, which is so long, and is told at once.
   */
  | {
      readonly kind: 'bad';
      readonly reason: BadFrameReason;
      readonly byteCount: number;
      readonly frameBytes?: number;
    };

type Bad = Extract<Sight, { readonly kind: 'bad' }>;

export interface ScannerOptions {
  /**
   * Called with at least one byte, again and again while a frame is begun; says `begun` of no more bytes than a frame may
   * have. `at`: their place in the stream. `seenCount`: of so many of them it was said already.
   */
  readonly look: (bytes: Buffer, at: number, seenCount: number) => Sight;
}

/**
 * Finds frames of which only their beginning tells where they end. When that deceived, the next one is looked for right
 * behind it, within what was already read: the frame behind garbage is not lost with it.
 */
export class Scanner implements FrameDecoder {
  readonly #look: ScannerOptions['look'];
  readonly #sink: FrameSink;
  readonly #window = new Window();
  /** At the beginning of the window: no frame begins in them. */
  #badBytes = 0;
  /** At the beginning of the window: of a bad frame that is told. A good one may begin in them. */
  #toldBytes = 0;
  #reason: BadFrameReason = 'noise';
  /** Of the stream: where the window begins. */
  #place = 0;
  /** Behind the bad bytes: of a frame that is begun. */
  #seenCount = 0;

  constructor({ look }: ScannerOptions, sink: FrameSink) {
    this.#look = look;
    this.#sink = sink;
  }

  feed(chunk: Buffer): void {
    this.#window.append(chunk);
    this.#scan(false);
  }

  /** A frame that was begun is none; behind its first byte one may stand. */
  gap(): void {
    this.#scan(true);
    this.#tellBad();
  }

  #scan(isOver: boolean): void {
    while (this.#badBytes < this.#window.length) {
      const bytes = this.#window.bytes.subarray(this.#badBytes);
      const sight = this.#look(bytes, this.#place + this.#badBytes, this.#seenCount);
      this.#seenCount = sight.kind === 'begun' && !isOver ? bytes.length : 0;
      if (sight.kind === 'frame') {
        this.#tellBad();
        this.#sink.good(sight.payload);
        this.#drop(sight.byteCount);
      } else if (sight.kind === 'bad') {
        this.#addBad(sight);
      } else if (isOver) {
        this.#addBad({ reason: 'incomplete', byteCount: 1 });
      } else break;
    }
    // Told in pieces: garbage without an end must not be kept.
    if (this.#badBytes > MAX_BAD_BYTES) this.#tellBad();
  }

  #addBad({ reason, byteCount, frameBytes }: Omit<Bad, 'kind'>): void {
    if (frameBytes !== undefined && this.#badBytes >= this.#toldBytes) {
      this.#tellBad();
      this.#sink.bad(reason, this.#window.bytes.subarray(0, frameBytes));
      this.#toldBytes = frameBytes;
    } else if (this.#badBytes <= this.#toldBytes || this.#reason === 'noise') {
      this.#reason = reason;
    }
    this.#badBytes += byteCount;
  }

  #tellBad(): void {
    if (this.#badBytes > this.#toldBytes) {
      this.#sink.bad(this.#reason, this.#window.bytes.subarray(this.#toldBytes, this.#badBytes));
    }
    this.#drop(this.#badBytes);
    this.#badBytes = 0;
    this.#reason = 'noise';
  }

  #drop(byteCount: number): void {
    this.#window.drop(byteCount);
    this.#place += byteCount;
    this.#toldBytes = Math.max(0, this.#toldBytes - byteCount);
  }
}
