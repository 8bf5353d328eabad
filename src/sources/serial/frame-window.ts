import type { Handshake } from '../../core/record.ts';

/** Of a gateway that is killed again and again; more than so many windows are not kept from before. */
const MAX_RESTORED_WINDOWS = 16;

/** Numbers of the latest frames of a port: as long as one is in here, the store knows it. */
export class FrameWindow {
  readonly #size: number;
  readonly #release: (key: Handshake) => void;
  readonly #keys: Handshake[] = [];
  readonly #restored: Handshake[];

  /** `restored`: those that the store knows from before, in no order. */
  constructor(size: number, restored: readonly Handshake[], release: (key: Handshake) => void) {
    this.#size = size;
    this.#restored = [...restored];
    this.#release = release;
  }

  /** A frame was stored that was not known. */
  add(key: Handshake): void {
    this.#keys.push(key);
    this.#releaseRestored();
    for (const old of this.#keys.splice(0, Math.max(0, this.#keys.length - this.#size))) this.#release(old);
  }

  /** Any of them may be the latest of before: they go when a window of new ones has come. */
  #releaseRestored(): void {
    const isOld = this.#keys.length >= this.#size;
    const keptCount = isOld ? 0 : MAX_RESTORED_WINDOWS * this.#size;
    for (const old of this.#restored.splice(0, Math.max(0, this.#restored.length - keptCount))) this.#release(old);
  }
}
