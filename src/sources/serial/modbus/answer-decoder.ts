import { Buffer } from 'node:buffer';
import type { BadFrameReason } from '../framing/framing.ts';
import { CHECKSUM, type Request } from './request.ts';

export type Answer =
  /** What follows the head. The bytes are the caller's. */
  | { readonly kind: 'data'; readonly data: Buffer }
  /** The device says that it does not do what it is asked. `bytes`: the whole answer. */
  | { readonly kind: 'exception'; readonly code: number; readonly bytes: Buffer };

export type OnBad = (reason: BadFrameReason, bytes: Buffer) => void;

export interface AnswerDecoderOptions {
  readonly onBad: OnBad;
  /** The adapter may hand back the request too, which may look like its answer: it is skipped once. */
  readonly mayEcho: boolean;
}

const EXCEPTION = 0x80;
/** Unit, function code, exception code. */
const EXCEPTION_LENGTH = 3 + CHECKSUM.byteCount;
const NOTHING = Buffer.alloc(0);
/** Of what was skipped, for people to look at. */
const KEPT_BYTES = 512;

/**
 * Finds the answer to one request. Frames of Modbus have neither marks nor lengths of their own, but the request says how
 * its answer begins and how long it is: anything else is skipped byte by byte, so the answer behind garbage is found.
 * Memory: one answer. Never throws.
 */
export class AnswerDecoder {
  readonly #request: Buffer;
  readonly #head: Buffer;
  readonly #answerLength: number;
  readonly #exceptionHead: Buffer;
  readonly #onBad: OnBad;
  /** Begins with what may be the answer. */
  #bytes: Buffer = NOTHING;
  #skipped: Buffer = NOTHING;
  #reason: BadFrameReason = 'noise';
  #mayEcho: boolean;

  constructor({ bytes, head, answerLength }: Request, { onBad, mayEcho }: AnswerDecoderOptions) {
    this.#request = bytes;
    this.#mayEcho = mayEcho;
    this.#head = head;
    this.#answerLength = answerLength;
    this.#exceptionHead = Buffer.from([head[0] ?? 0, (head[1] ?? 0) | EXCEPTION]);
    this.#onBad = onBad;
  }

  feed(chunk: Buffer): Answer | undefined {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    return this.#search(false);
  }

  /** Nothing more comes: what looks like the beginning of an answer was none, and may hide the answer behind it. */
  finish(): Answer | undefined {
    const answer = this.#search(true);
    if (answer === undefined) this.#tellSkipped();
    return answer;
  }

  #search(isOver: boolean): Answer | undefined {
    const bytes = this.#bytes;
    for (let at = 0; at < bytes.length; at += 1) {
      const length = this.#lengthAt(at);
      if (length === undefined) continue;
      const frame = bytes.subarray(at, at + length);
      if (frame.length < length) {
        if (isOver) this.#blame('incomplete');
        else return this.#waitFrom(at);
      } else if (this.#mayEcho && frame.equals(this.#request)) {
        this.#mayEcho = false;
        at += length - 1;
      } else {
        const covered = CHECKSUM.strip(frame);
        if (covered !== undefined) return this.#found(at, Buffer.from(covered), length);
        this.#blame('checksum');
      }
    }
    return this.#waitFrom(bytes.length);
  }

  /** Of the frame that may begin there; undefined when none does. */
  #lengthAt(at: number): number | undefined {
    if (this.#begins(this.#head, at)) return this.#answerLength;
    return this.#begins(this.#exceptionHead, at) ? EXCEPTION_LENGTH : undefined;
  }

  #begins(head: Buffer, at: number): boolean {
    const there = this.#bytes.subarray(at, at + head.length);
    return head.subarray(0, there.length).equals(there);
  }

  #found(at: number, covered: Buffer, length: number): Answer {
    const bytes = this.#bytes;
    this.#skip(bytes.subarray(0, at));
    this.#skip(bytes.subarray(at + length));
    this.#bytes = NOTHING;
    this.#tellSkipped();
    const isException = ((covered[1] ?? 0) & EXCEPTION) !== 0;
    if (!isException) return { kind: 'data', data: covered.subarray(this.#head.length) };
    return { kind: 'exception', code: covered[2] ?? 0, bytes: CHECKSUM.append(covered) };
  }

  #waitFrom(at: number): undefined {
    this.#skip(this.#bytes.subarray(0, at));
    this.#bytes = Buffer.from(this.#bytes.subarray(at));
  }

  #skip(bytes: Buffer): void {
    if (bytes.length === 0 || this.#skipped.length >= KEPT_BYTES) return;
    this.#skipped = Buffer.concat([this.#skipped, bytes.subarray(0, KEPT_BYTES - this.#skipped.length)]);
  }

  /** A frame that came damaged says more than the noise around it. */
  #blame(reason: 'checksum' | 'incomplete'): void {
    if (this.#reason !== 'checksum') this.#reason = reason;
  }

  #tellSkipped(): void {
    if (this.#skipped.length > 0) this.#onBad(this.#reason, this.#skipped);
    this.#skipped = NOTHING;
    this.#reason = 'noise';
  }
}
