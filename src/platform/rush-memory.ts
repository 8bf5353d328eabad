import { giveBackMemory } from './start-memory.ts';

/** What fewer leave behind is not worth the pause. */
const RUSH = 1_000;
const QUIET_MS = 3_000;

/**
 * A rush of visitors leaves garbage that V8 keeps until there is half as much again, which in ordinary life may take
 * for ever. When many have left, and for three seconds nobody more, it is given back.
 */
export class RushMemory {
  readonly #giveBack: () => void;
  #leftCount = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(giveBack: () => void = giveBackMemory) {
    this.#giveBack = giveBack;
  }

  left(): void {
    this.#leftCount += 1;
    if (this.#leftCount < RUSH) return;
    this.#timer ??= setTimeout(() => this.#over(), QUIET_MS).unref();
    this.#timer.refresh();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #over(): void {
    this.#timer = undefined;
    this.#leftCount = 0;
    this.#giveBack();
  }
}
