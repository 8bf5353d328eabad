import type { Buffer } from 'node:buffer';
import type { Readable } from 'node:stream';
import { SluiceError } from '../../core/errors.ts';

/**
 * The longest answer that is read. Kafka has none longer than the one to Metadata about all topics, which takes 46 bytes
 * for a partition with three replicas (Kafka protocol, Metadata version 5): these are 360,000 of them.
 */
export const MAX_ANSWER_BYTES = 16 << 20;
/** The code of every error that says: what was announced is no answer of Kafka's. */
export const ANSWER_TOO_LONG = 'kafka_answer_too_long';
const LENGTH_BYTES = 4;
const HINT = 'check that brokers names Kafka, and compare tls and sasl with what it asks for there';

/** Ends a connection to a broker as soon as it announces an answer that is longer; the libraries would collect it. */
export function limitAnswers(socket: Readable): void {
  const answers = new AnswerLengths();
  socket.on('data', (chunk: Buffer) => {
    const length = answers.take(chunk);
    if (length !== undefined) socket.destroy(answerTooLong(`the broker announces an answer of ${length} bytes`));
  });
}

export function answerTooLong(message: string, cause?: unknown): SluiceError {
  return new SluiceError(message, { code: ANSWER_TOO_LONG, retryable: true, hint: HINT, cause });
}

/** Follows what is framed as Kafka frames it: a length, INT32, and so many bytes. */
class AnswerLengths {
  #length = 0;
  #lengthBytes = 0;
  /** Of the answer that is on its way. */
  #bytesLeft = 0;

  /** @returns the first length that no answer has */
  take(chunk: Buffer): number | undefined {
    for (let at = 0; at < chunk.byteLength; ) {
      if (this.#bytesLeft > 0) {
        const taken = Math.min(this.#bytesLeft, chunk.byteLength - at);
        this.#bytesLeft -= taken;
        at += taken;
        continue;
      }
      this.#length = (this.#length << 8) | (chunk[at] ?? 0);
      this.#lengthBytes += 1;
      at += 1;
      if (this.#lengthBytes < LENGTH_BYTES) continue;
      if (this.#length < 0 || this.#length > MAX_ANSWER_BYTES) return this.#length;
      this.#bytesLeft = this.#length;
      this.#lengthBytes = 0;
    }
    return undefined;
  }
}
