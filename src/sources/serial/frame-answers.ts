import { Buffer } from 'node:buffer';

/** What is known at once waits behind so many: a device sends again what has no answer. */
const MAX_WAITING = 1_024;

/** An answer; a promise while nobody knows it, or whether there is one. Never rejects. */
export type FrameAnswer = Buffer | Promise<Buffer | undefined>;

/** Answers to the frames of a line in the order of the frames, whenever each is known. */
export class FrameAnswers {
  readonly #write: (bytes: Buffer) => void;
  #last: Promise<void> = Promise.resolve();
  #waitingCount = 0;

  constructor(write: (bytes: Buffer) => void) {
    this.#write = write;
  }

  add(answer: FrameAnswer): void {
    if (Buffer.isBuffer(answer) && this.#waitingCount >= MAX_WAITING) return;
    this.#waitingCount += 1;
    this.#last = this.#inTurn(answer, this.#last);
  }

  /** Resolves when all are known and handed on. */
  settled(): Promise<void> {
    return this.#last;
  }

  async #inTurn(answer: FrameAnswer, before: Promise<void>): Promise<void> {
    await before;
    const bytes = await answer;
    this.#waitingCount -= 1;
    if (bytes !== undefined) this.#write(bytes);
  }
}
