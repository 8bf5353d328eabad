import type { Buffer } from 'node:buffer';
import { setTimeout as delay } from 'node:timers/promises';
import type { OpenPort } from '../open-port.ts';
import type { LineSettings } from '../options.ts';
import { type Answer, AnswerDecoder, type OnBad } from './answer-decoder.ts';
import { looksLikeAnswer, type Request } from './request.ts';

/** `silent`: no answer in time. `closed`: the port is gone, or the gateway stops. `unwanted`: it was not written. */
export type Outcome = Answer | { readonly kind: 'silent' | 'closed' | 'unwanted' };

export interface LineParts {
  readonly port: Pick<OpenPort, 'write'>;
  readonly settings: Pick<LineSettings, 'baudRate'>;
  /** What a unit may take to answer. Milliseconds. */
  readonly timeoutMs: number;
  /** What comes and is no answer. The bytes are only lent. */
  readonly onBad: OnBad;
  /** An answer that came after its time. */
  readonly onLate: (request: Request) => void;
}

/** Start, eight data bits, parity or a second stop bit, stop [MODBUS over Serial Line V1.02, 2.5.1]. */
const BITS_OF_BYTE = 11;
/** Silence between frames: three and a half bytes, at least 1.75 ms [2.5.1.1]. */
const PAUSE_BYTES = 3.5;
const MIN_PAUSE_MS = 2;

interface Written {
  readonly request: Request;
  /** The operating system has it all. */
  isDone: boolean;
}

interface Waiting {
  readonly decoder: AnswerDecoder;
  readonly done: (answer: Answer | undefined) => void;
}

/**
 * A line from when its port was opened until it is closed: one request at a time. Answers bear no number, so what comes
 * after its time could be taken for the answer to the next request: behind a silence the line rests for as long again.
 */
export class Line {
  readonly #parts: LineParts;
  readonly #closing = new AbortController();
  #waiting: Waiting | undefined;
  /** What the line had not taken when its time was over. */
  #held: Written | undefined;
  #hearsItself: boolean | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;

  constructor(parts: LineParts) {
    this.#parts = parts;
  }

  take(bytes: Buffer): void {
    this.#heardAt = performance.now();
    if (this.#waiting === undefined) {
      this.#parts.onBad('noise', bytes);
      return;
    }
    const answer = this.#waiting.decoder.feed(bytes);
    if (answer !== undefined) this.#waiting.done(answer);
  }

  close(): void {
    this.#closing.abort();
    this.#waiting?.done(undefined);
  }

  /** Whether its adapter hands over what is written too; undefined: nobody knows yet. */
  get hearsItself(): boolean | undefined {
    return this.#hearsItself;
  }

  /** Aborted when the port is closed. */
  get closing(): AbortSignal {
    return this.#closing.signal;
  }

  /** Waits for the answer before it. `begins` is asked right before it is written. Never rejects. */
  async ask(request: Request, begins: () => boolean = () => true): Promise<Outcome> {
    await this.#pause();
    if (this.closing.aborted) return { kind: 'closed' };
    if (this.#held !== undefined) return await this.#blocked(this.#held);
    if (!begins()) return { kind: 'unwanted' };
    const written = this.#write(request);
    let isEchoed = false;
    const onBad: OnBad = (reason, bytes) => {
      isEchoed ||= bytes.includes(request.bytes);
      this.#parts.onBad(reason, bytes);
    };
    const mayEcho = this.#hearsItself !== false;
    const decoder = new AnswerDecoder(request, { onBad, mayEcho });
    const answer = await this.#wait(decoder, this.#lineMs(request) + this.#parts.timeoutMs);
    if (this.closing.aborted) return { kind: 'closed' };
    if (isEchoed && (answer !== undefined || !looksLikeAnswer(request))) this.#hearsItself = true;
    if (answer === undefined) {
      this.#held = written.isDone ? undefined : written;
      return await this.#rest(request);
    }
    this.#hearsItself ??= false;
    return answer;
  }

  /** The line takes nothing: all that waited for it would be on it at once. */
  async #blocked(held: Written): Promise<Outcome> {
    await this.#rest(held.request);
    if (held.isDone) {
      // It may be answered in the time of the next.
      await this.#rest(held.request);
      this.#held = undefined;
    }
    return { kind: this.closing.aborted ? 'closed' : 'silent' };
  }

  #write(request: Request): Written {
    const written = { request, isDone: false };
    const done = () => {
      written.isDone = true;
    };
    // A port that is gone is noticed elsewhere.
    this.#parts.port.write(request.bytes).then(done, done);
    return written;
  }

  async #rest(request: Request): Promise<Outcome> {
    const decoder = new AnswerDecoder(request, { onBad: this.#parts.onBad, mayEcho: false });
    if ((await this.#wait(decoder, this.#parts.timeoutMs)) !== undefined) this.#parts.onLate(request);
    return { kind: 'silent' };
  }

  async #wait(decoder: AnswerDecoder, ms: number): Promise<Answer | undefined> {
    const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
    const timer = setTimeout(() => resolve(decoder.finish()), ms);
    this.#waiting = { decoder, done: resolve };
    const answer = await promise;
    clearTimeout(timer);
    this.#waiting = undefined;
    return answer;
  }

  async #pause(): Promise<void> {
    const ms = Math.max(MIN_PAUSE_MS, this.#bytesMs(PAUSE_BYTES));
    // What still comes, of another device or by chance, puts it off, though not for ever.
    for (let looks = 0; looks < 10 && performance.now() - this.#heardAt < ms; looks += 1) {
      await delay(ms, undefined, { signal: this.closing }).catch(() => undefined);
    }
  }

  /** Of the request and the longest answer. */
  #lineMs({ bytes, answerLength }: Request): number {
    return this.#bytesMs(bytes.length + answerLength);
  }

  #bytesMs(count: number): number {
    return (count * BITS_OF_BYTE * 1_000) / this.#parts.settings.baudRate;
  }
}
