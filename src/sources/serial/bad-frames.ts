import type { Buffer } from 'node:buffer';
import type { BadFrame } from '../../core/views.ts';

const KEPT_COUNT = 16;
const KEPT_BYTES = 64;

/** The newest frames that were none, for people who look for the right settings. */
export class BadFrames {
  readonly #kept: BadFrame[] = [];

  add(reason: string, bytes: Buffer, at: number): void {
    this.#kept.unshift({ at, reason, byteCount: bytes.length, hex: bytes.toString('hex', 0, KEPT_BYTES) });
    this.#kept.length = Math.min(this.#kept.length, KEPT_COUNT);
  }

  /** The newest first. */
  list(): readonly BadFrame[] {
    return [...this.#kept];
  }
}
