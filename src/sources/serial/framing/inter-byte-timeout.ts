import type { Buffer } from 'node:buffer';
import { Check } from './check.ts';
import type { FrameDecoder, FrameSink, Framing } from './framing.ts';
import type { OptionsOf } from './options.ts';
import { Window } from './window.ts';

/** Who reads may begin to count late, and its timers be late. */
const PAUSE_GAPS = 1.5;

/** Frames that only silence divides, as Modbus RTU's. What is told of silence must be told in time. */
export function interByteTimeout(options: OptionsOf<'inter-byte-timeout'>): Framing {
  const check = options.check && new Check(options.check);
  return {
    gapMs: options.gapMs,
    pauseMs: PAUSE_GAPS * options.gapMs,
    decoder: (sink) => new GapDecoder(options.maxFrameBytes, check, sink),
    encode: (payload) => check?.append(payload) ?? payload,
  };
}

class GapDecoder implements FrameDecoder {
  readonly #maxBytes: number;
  readonly #check: Check | undefined;
  readonly #sink: FrameSink;
  readonly #window = new Window();
  #isTooLong = false;

  constructor(maxBytes: number, check: Check | undefined, sink: FrameSink) {
    this.#maxBytes = maxBytes;
    this.#check = check;
    this.#sink = sink;
  }

  feed(chunk: Buffer): void {
    if (this.#isTooLong) return;
    this.#window.append(chunk);
    if (this.#window.length <= this.#maxBytes) return;
    this.#isTooLong = true;
    this.#sink.bad('too_long', this.#window.bytes);
    this.#window.drop(this.#window.length);
  }

  gap(why?: 'closed'): void {
    this.#isTooLong = false;
    const { bytes } = this.#window;
    this.#window.drop(bytes.length);
    if (bytes.length === 0) return;
    if (why === 'closed') {
      this.#sink.bad('incomplete', bytes);
      return;
    }
    const payload = this.#check === undefined ? bytes : this.#check.strip(bytes);
    if (payload === undefined) this.#sink.bad('checksum', bytes);
    else if (payload.length === 0) this.#sink.bad('noise', bytes);
    else this.#sink.good(payload);
  }
}
