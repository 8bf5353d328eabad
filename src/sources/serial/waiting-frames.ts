import type { Overrun } from '../../core/ports.ts';

/** Of a frame that waits, beside its bytes. */
const FRAME_BYTES = 512;

/** What frames of a port may wait for the store, in bytes; what finds no room is summed up. */
export class WaitingFrames {
  readonly #maxBytes: number;
  #bytes = 0;
  #count = 0;
  /** By the channel of what was lost. */
  readonly #overruns = new Map<string, Overrun>();
  #roomAgain: PromiseWithResolvers<void> | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get count(): number {
    return this.#count;
  }

  /** Half of it is free. */
  get hasRoom(): boolean {
    return this.#bytes <= this.#maxBytes / 2;
  }

  /** False when there is no room. `isHeldBack`: nothing more is read before there is, so what one read brought fits. */
  enter(byteCount: number, isHeldBack: boolean): boolean {
    const bytes = byteCount + FRAME_BYTES;
    // One frame alone always fits.
    if (!isHeldBack && this.#bytes > 0 && this.#bytes + bytes > this.#maxBytes) return false;
    this.#bytes += bytes;
    this.#count += 1;
    return true;
  }

  leave(byteCount: number): void {
    this.#bytes -= byteCount + FRAME_BYTES;
    this.#count -= 1;
    if (!this.hasRoom) return;
    this.#roomAgain?.resolve();
    this.#roomAgain = undefined;
  }

  /** Resolves when half of it is free; undefined when it is. */
  room(): Promise<void> | undefined {
    if (this.hasRoom) return undefined;
    this.#roomAgain ??= Promise.withResolvers();
    return this.#roomAgain.promise;
  }

  /** A frame that found no room is lost. */
  lose(channel: string, byteCount: number, at: number): void {
    const { count = 0, bytes = 0, firstAt = at } = this.#overruns.get(channel) ?? {};
    this.#overruns.set(channel, { count: count + 1, bytes: bytes + byteCount, firstAt, lastAt: at });
  }

  /** What was lost of one channel since the last time. */
  takeOverrun(): readonly [channel: string, overrun: Overrun] | undefined {
    const [first] = this.#overruns;
    if (first !== undefined) this.#overruns.delete(first[0]);
    return first;
  }
}
