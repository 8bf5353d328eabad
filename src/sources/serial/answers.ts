import type { Buffer } from 'node:buffer';
import type { OpenPort } from './open-port.ts';

/** What a device that does not read its answers leaves waiting; it sends again what has none. */
const MAX_WAITING_BYTES = 16 * 1024;
/** An answer that waits for longer is left out when newer ones wait behind it: its device sends again before it would come. */
const MAX_LATE_MS = 1_000;

/** `gone`: the port went meanwhile, and nobody knows how much of it was written. */
export type Written = 'written' | 'gone' | 'unwanted';

/** What is left free behind so many bytes, from when the system has taken them. Milliseconds. */
export type Pause = (byteCount: number) => number;

/** What is written to a device, one behind the other: answers, and what else has its turn with them. */
export class Answers {
  readonly #port: Pick<OpenPort, 'write'>;
  readonly #pause: Pause | undefined;
  #last: Promise<void> = Promise.resolve();
  #waitingBytes = 0;
  /** By the clock of `performance`. */
  #freeAt = 0;
  #isClosed = false;
  #endRest: () => void = () => undefined;

  /** Without `pause` the device tells by itself where one ends. */
  constructor(port: Pick<OpenPort, 'write'>, pause?: Pause) {
    this.#port = port;
    this.#pause = pause;
  }

  write(bytes: Buffer): void {
    if (this.#waitingBytes + bytes.length > MAX_WAITING_BYTES) return;
    this.#waitingBytes += bytes.length;
    const givenAt = performance.now();
    this.#last = this.#last.then(() => this.#write(bytes, givenAt));
  }

  /** Behind what waits; `isWanted` is asked once, right before. */
  writeIf(bytes: Buffer, isWanted: () => boolean): Promise<Written> {
    const written = this.#last.then(async (): Promise<Written> => {
      if (this.#pause !== undefined) await this.#free();
      return isWanted() ? await this.#put(bytes) : 'unwanted';
    });
    this.#last = written.then(() => undefined);
    return written;
  }

  /** Resolves when all are written, or never can be. */
  settled(): Promise<void> {
    return this.#last;
  }

  /** The port is closed: nobody waits for it any more. */
  close(): void {
    this.#isClosed = true;
    this.#endRest();
  }

  async #write(bytes: Buffer, givenAt: number): Promise<void> {
    if (this.#pause !== undefined) await this.#free();
    this.#waitingBytes -= bytes.length;
    const isLate = this.#pause !== undefined && performance.now() - givenAt > MAX_LATE_MS;
    // A port that is gone is noticed elsewhere.
    if (!isLate || this.#waitingBytes === 0) await this.#put(bytes);
  }

  async #put(bytes: Buffer): Promise<Written> {
    const written = await this.#port.write(bytes).then(
      () => 'written' as const,
      () => 'gone' as const,
    );
    if (this.#pause !== undefined) this.#freeAt = performance.now() + this.#pause(bytes.length);
    return written;
  }

  /** Resolves when the silence behind the last one is over, or the port is closed. */
  async #free(): Promise<void> {
    const ms = this.#freeAt - performance.now();
    if (ms <= 0 || this.#isClosed) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, ms);
    this.#endRest = () => {
      clearTimeout(timer);
      resolve();
    };
    await promise;
  }
}
