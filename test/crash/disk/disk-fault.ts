import { writeFileSync } from 'node:fs';
import type { SmallDisk } from './small-disk.ts';

export const FAULTS = [
  'full',
  'no_space',
  'io_error',
  'read_only',
  'failed_sync',
  'read_error',
  'unread_pages',
] as const;

/**
 * `full`: a real file system without a free block; the others are played by the shim. `unread_pages`: of each file only the first
 * page can be read.
 */
export type FaultKind = (typeof FAULTS)[number];

const OF_THE_SHIM: Readonly<Record<Exclude<FaultKind, 'full'>, string>> = {
  no_space: 's',
  io_error: 'e',
  read_only: 'r',
  failed_sync: 'f',
  read_error: 'i',
  unread_pages: 'p',
};

/** The disk of one gateway, and what is wrong with it. */
export class FaultyDisk {
  readonly #faultFile: string;
  readonly #small: SmallDisk | undefined;

  constructor(faultFile: string, small: SmallDisk | undefined) {
    this.#faultFile = faultFile;
    this.#small = small;
    this.mend();
  }

  /** Those that can be played on this machine. */
  get kinds(): readonly FaultKind[] {
    return FAULTS.filter((kind) => kind !== 'full' || this.#small !== undefined);
  }

  break(kind: FaultKind): void {
    if (kind === 'full') this.#small?.fill();
    else this.#set(OF_THE_SHIM[kind]);
  }

  mend(): void {
    this.#small?.clear();
    this.#set('-');
  }

  close(): void {
    this.#small?.unmount();
  }

  /** In place: the shim has the file mapped. */
  #set(mark: string): void {
    writeFileSync(this.#faultFile, mark, { flag: 'r+' });
  }
}
