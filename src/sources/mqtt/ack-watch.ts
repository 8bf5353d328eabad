import type { Callback } from './aedes-broker.ts';

/** [MQTT 3.1.1, 3.1.2.10] */
const KEEP_ALIVES = 1.5;

/**
 * Ends the connection of a client whose acknowledgements do not come: that it still pings does not help it. It connects
 * again, is told, and sends again what was not acknowledged. A client without a keep-alive waits for ever.
 */
export class AckWatch {
  readonly #onWithheld: () => void;
  #timer: NodeJS.Timeout | undefined;
  #onIdle: (() => void) | undefined;
  #awaitedCount = 0;
  #answeredCount = 0;
  #seenCount = 0;

  constructor(onWithheld: () => void) {
    this.#onWithheld = onWithheld;
  }

  /** Nothing is watched before. */
  start(keepAliveS: number): void {
    if (keepAliveS === 0) return;
    this.#timer = setTimeout(() => this.#look(), keepAliveS * KEEP_ALIVES * 1_000).unref();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** For a message that is to be acknowledged: what is returned takes the place of its callback. */
  watch(done: Callback): Callback {
    if (this.isIdle) {
      this.#seenCount = this.#answeredCount;
      this.#timer?.refresh();
    }
    this.#awaitedCount += 1;
    return (error) => {
      this.#answeredCount += 1;
      if (this.isIdle) this.#onIdle?.();
      done(error);
    };
  }

  get isIdle(): boolean {
    return this.#answeredCount === this.#awaitedCount;
  }

  /** Calls back once, when nothing waits any more. To be asked when the connection is gone, and no more comes. */
  whenIdle(onIdle: () => void): void {
    this.#onIdle = onIdle;
  }

  #look(): void {
    if (this.isIdle) return;
    if (this.#answeredCount === this.#seenCount) {
      this.#onWithheld();
      return;
    }
    this.#seenCount = this.#answeredCount;
    this.#timer?.refresh();
  }
}
