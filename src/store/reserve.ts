import { closeSync, fsyncSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../core/errors.ts';

const CHUNK = new Uint8Array(256 * 1024);
/** Beside the reserve so much must be free, or the next write would need it again. */
const MARGIN_BYTES = 1024 * 1024;

/**
 * Space on the disk that is kept for the day on which it is full: a write-ahead log needs some to carry over what it
 * holds, and without it neither a position nor a removal could be written, so nothing would ever become free again.
 */
export class Reserve {
  readonly #dataDir: string;
  readonly #file: string;
  readonly #bytes: number;

  constructor({ dataDir, bytes }: { readonly dataDir: string; readonly bytes: number }) {
    this.#dataDir = dataDir;
    this.#file = join(dataDir, 'reserve');
    this.#bytes = bytes;
  }

  /** On a disk that is almost full, so that the files can be opened at all. */
  releaseIfScarce(): void {
    if (this.#freeBytes() < MARGIN_BYTES) this.release();
  }

  release(): void {
    rmSync(this.#file, { force: true });
  }

  /**
   * Takes the space, or proves by a write and an fsync that the disk does both. False while there is not enough.
   * @throws what the file system says
   */
  take(): boolean {
    const isHeld = statSync(this.#file, { throwIfNoEntry: false })?.size === this.#bytes;
    if (!isHeld && this.#freeBytes() < this.#bytes + MARGIN_BYTES) return false;
    try {
      this.#write(isHeld ? CHUNK.byteLength : this.#bytes);
      return true;
    } catch (error) {
      if (codeOf(error) !== 'ENOSPC') throw error;
      this.release();
      return false;
    }
  }

  #write(bytes: number): void {
    const fd = openSync(this.#file, bytes === this.#bytes ? 'w' : 'r+');
    try {
      for (let at = 0; at < bytes; at += CHUNK.byteLength) {
        writeSync(fd, CHUNK, 0, Math.min(CHUNK.byteLength, bytes - at), at);
      }
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  }

  #freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#dataDir);
    return bavail * bsize;
  }
}
