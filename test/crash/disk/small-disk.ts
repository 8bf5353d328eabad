import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync, statfsSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { codeOf } from '../../../src/core/errors.ts';

const CHUNK = new Uint8Array(256 * 1024);

/** A file system of its own, mounted at a directory; or undefined where that is not allowed. */
export class SmallDisk {
  readonly #mountPoint: string;
  readonly #ballast: string;

  private constructor(mountPoint: string) {
    this.#mountPoint = mountPoint;
    this.#ballast = join(mountPoint, 'ballast');
  }

  /** `image`: the file that holds it. */
  static mount(options: {
    readonly image: string;
    readonly bytes: number;
    readonly mountPoint: string;
  }): SmallDisk | undefined {
    const { image, bytes, mountPoint } = options;
    writeFileSync(image, '');
    truncateSync(image, bytes);
    const made = spawnSync('mkfs.ext4', ['-q', '-m', '0', image]);
    const mounted = made.status === 0 && spawnSync('mount', ['-o', 'loop', image, mountPoint]).status === 0;
    return mounted ? new SmallDisk(mountPoint) : undefined;
  }

  /** Another program takes all the space there is, to the last block. */
  fill(): void {
    const fd = openSync(this.#ballast, 'a');
    try {
      for (let bytes = CHUNK.byteLength; bytes > 0; ) {
        try {
          writeSync(fd, CHUNK, 0, bytes);
        } catch (error) {
          if (codeOf(error) !== 'ENOSPC') throw error;
          bytes = bytes > 1 ? bytes >> 1 : 0;
        }
      }
    } finally {
      closeSync(fd);
    }
  }

  /** And gives it back. */
  clear(): void {
    rmSync(this.#ballast, { force: true });
  }

  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#mountPoint);
    return bavail * bsize;
  }

  unmount(): void {
    spawnSync('umount', ['--lazy', this.#mountPoint]);
  }
}
